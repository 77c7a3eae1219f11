//! Compressed captures: gzip, zlib (`.zhar`), zstd, and the files of a zip archive, which are
//! unpacked while they are read.

mod archive;
mod budget;

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

pub(crate) use crate::capture::bytes::unpack::archive::zip_files;
pub(crate) use crate::capture::bytes::unpack::budget::UnpackBudget;
use crate::capture::bytes::unpack::budget::UnpackProgress;
use crate::capture::bytes::{ByteStream, Bytes, BytesSection};
use crate::limits;

/// A format of compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zlib,
    Zstd,
    /// A file of a zip archive that is compressed.
    Deflate,
    /// A file of a zip archive that is stored without compression.
    Stored,
}

impl Compression {
    /// Detects the format from the first bytes. `None` if they are not compressed.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some(Self::Zlib),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Deflate | Self::Stored => "zip",
        }
    }
}

/// One layer of compression, and how far it was unpacked at most.
pub(crate) struct CompressionLayer {
    packing: Compression,
    reach: UnpackProgress,
}

impl CompressionLayer {
    fn new(packing: Compression) -> Self {
        Self { packing, reach: UnpackProgress::default() }
    }

    /// Returns a reader that unpacks a stream. `window` is the maximum size of the decoder's window
    /// in bytes.
    fn reader(&self, packed: ByteStream, budget: &Arc<UnpackBudget>, window: u64) -> ByteStream {
        let inner: ByteStream = match self.packing {
            Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Compression::Zlib => Box::new(Inflate::new(packed, true)),
            Compression::Deflate => Box::new(Inflate::new(packed, false)),
            Compression::Zstd => Box::new(ZstdFrames::new(packed, window)),
            Compression::Stored => packed,
        };
        let (reach, budget) = (self.reach.clone(), Arc::clone(budget));
        Box::new(UnpackReader { packing: self.packing, inner, reach, budget, given: 0 })
    }
}

/// A part of a file or of memory that is unpacked again for every reading.
pub(crate) struct Packed {
    bytes: Arc<Bytes>,
    start: u64,
    length: u64,
    /// The layers, the outermost first.
    layers: Vec<CompressionLayer>,
    budget: Arc<UnpackBudget>,
}

impl Packed {
    pub(crate) fn open(&self) -> ByteStream {
        let end = self.start.saturating_add(self.length);
        let section = BytesSection::new(Arc::clone(&self.bytes), self.start, end);
        let is_zstd = |layer: &&CompressionLayer| layer.packing == Compression::Zstd;
        let has_inner = self.layers.iter().filter(is_zstd).count() > 1;
        let window =
            if has_inner { limits::MAX_NESTED_WINDOW_BYTES } else { limits::MAX_ZSTD_WINDOW_BYTES };
        self.layers
            .iter()
            .fold(Box::new(section), |packed, layer| layer.reader(packed, &self.budget, window))
    }
}

/// Wraps compressed bytes in one more layer.
pub(crate) fn unpack(bytes: Bytes, packing: Compression, budget: &Arc<UnpackBudget>) -> Bytes {
    let layer = CompressionLayer::new(packing);
    match bytes {
        Bytes::Stream(_) => {
            let packed = budget.count_reads(bytes.into_stream());
            Bytes::stream(layer.reader(packed, budget, limits::MAX_ZSTD_WINDOW_BYTES))
        }
        Bytes::Packed(mut packed) => {
            packed.layers.push(layer);
            Bytes::Packed(packed)
        }
        bytes => Bytes::Packed(Packed {
            bytes: Arc::new(bytes),
            start: 0,
            length: u64::MAX,
            layers: vec![layer],
            budget: Arc::clone(budget),
        }),
    }
}

/// Reader that describes errors in compressed bytes in words, and stops if they unpack to far more
/// than traffic can.
struct UnpackReader {
    packing: Compression,
    inner: ByteStream,
    reach: UnpackProgress,
    budget: Arc<UnpackBudget>,
    given: u64,
}

impl Read for UnpackReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = self.packing.name();
        let count = self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            // An inner layer has already described the error.
            _ if is_in_words(&error) => error,
            io::ErrorKind::UnexpectedEof => {
                io::Error::other(UnpackError(format!("the {name} data ends in the middle")))
            }
            _ => io::Error::other(UnpackError(format!("the {name} data is damaged ({error})"))),
        })?;
        self.given += count as u64;
        if self.reach.extend(self.given, &self.budget) {
            return Ok(count);
        }
        let why = format!(
            "the {name} data unpacks to more than {} times the size of its file, which captured traffic never does",
            limits::MAX_UNPACKED_RATIO
        );
        Err(io::Error::other(UnpackError(why)))
    }
}

fn is_in_words(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<UnpackError>())
}

/// An error in compressed data, in words.
#[derive(Debug)]
struct UnpackError(String);

impl std::error::Error for UnpackError {}

impl std::fmt::Display for UnpackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reader of zlib or raw deflate data. Unlike the readers of `flate2`, it reports input that ends
/// before the data does.
struct Inflate {
    source: BufReader<ByteStream>,
    state: Decompress,
    has_ended: bool,
}

impl Inflate {
    fn new(source: ByteStream, is_zlib: bool) -> Self {
        Self { source: BufReader::new(source), state: Decompress::new(is_zlib), has_ended: false }
    }
}

impl Read for Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_ended && !buffer.is_empty() {
            let packed = self.source.fill_buf()?;
            let is_end = packed.is_empty();
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(packed, buffer, FlushDecompress::None)?;
            let taken = usize::try_from(self.state.total_in() - taken).unwrap_or(packed.len());
            let given = usize::try_from(self.state.total_out() - given).unwrap_or(0);
            self.source.consume(taken);
            self.has_ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(given);
            }
            if is_end && !self.has_ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// Reader of the frames of a zstd file, one after the other. Skippable frames are skipped.
struct ZstdFrames {
    source: BufReader<ByteStream>,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl ZstdFrames {
    fn new(source: ByteStream, window: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        Self { source: BufReader::new(source), decoder, in_frame: false }
    }
}

impl Read for ZstdFrames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame {
                let count = self.decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                if self.decoder.is_finished() {
                    self.in_frame = false;
                } else {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder
                        .decode_blocks(&mut self.source, one)
                        .map_err(|error| in_words(&error))?;
                }
                continue;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.in_frame = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(in_words(&error)),
            }
        }
    }
}

/// Describes an error of the decoder. The decoder has no error kind for the end of the file, which
/// causes most of its errors.
fn in_words(error: &FrameDecoderError) -> io::Error {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return io.kind().into();
        }
        cause = inner.source();
    }
    io::Error::other(error.to_string())
}
