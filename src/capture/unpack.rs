//! Packed captures: gzip, zlib (`.zhar`), zstd, and the files of a zip archive, unpacked while they are read.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::capture::bytes::{ByteStream, Bytes, Section, spooled};
use crate::limits;

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zlib,
    Zstd,
    /// A file of a zip archive, compressed.
    Deflate,
    /// A file of a zip archive, as it is.
    Stored,
}

impl Packing {
    /// What the first bytes say.
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

    fn reader(self, packed: ByteStream) -> ByteStream {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: packed, taken: Arc::clone(&taken) };
        let unpacked: ByteStream = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(counted)),
            Self::Zlib => Box::new(Inflate::new(counted, true)),
            Self::Deflate => Box::new(Inflate::new(counted, false)),
            Self::Zstd => Box::new(ZstdFrames::new(counted)),
            Self::Stored => Box::new(counted),
        };
        Box::new(Unpacked { packing: self, inner: unpacked, taken, given: 0 })
    }
}

/// A part of a file or of memory that is unpacked anew for every reading.
pub(crate) struct Packed {
    bytes: Arc<Bytes>,
    start: u64,
    length: u64,
    /// From the outside in.
    packings: Vec<Packing>,
}

impl Packed {
    pub(crate) fn open(&self) -> ByteStream {
        let end = self.start.saturating_add(self.length);
        let section = Section::new(Arc::clone(&self.bytes), self.start, end);
        self.packings.iter().fold(Box::new(section), |packed, packing| packing.reader(packed))
    }
}

/// The same bytes unpacked, where they are packed.
pub(crate) fn unpack(bytes: Bytes, packing: Packing) -> Bytes {
    match bytes {
        Bytes::Stream(_) => Bytes::stream(packing.reader(bytes.into_stream())),
        Bytes::Packed(mut packed) => {
            packed.packings.push(packing);
            Bytes::Packed(packed)
        }
        bytes => {
            let packings = vec![packing];
            Bytes::Packed(Packed { bytes: Arc::new(bytes), start: 0, length: u64::MAX, packings })
        }
    }
}

/// A file of a zip archive.
pub(crate) struct ZipFile {
    pub(crate) name: String,
    /// Its bytes, or why they cannot be read.
    pub(crate) bytes: Result<Bytes, String>,
}

/// The files of a zip archive, sorted by name.
pub(crate) fn zip_files(bytes: Bytes) -> io::Result<Vec<ZipFile>> {
    let bytes = Arc::new(by_position(bytes)?);
    let section = Section::whole(Arc::clone(&bytes));
    let mut archive = zip::ZipArchive::new(BufReader::new(section)).map_err(io::Error::other)?;
    let mut files = Vec::new();
    for index in 0..archive.len().min(limits::ZIP_FILES) {
        let file = archive.by_index_raw(index).map_err(io::Error::other)?;
        if !file.is_file() {
            continue;
        }
        let packing = match file.compression() {
            _ if file.encrypted() => Err("it is encrypted; unpack it with its password first"),
            zip::CompressionMethod::Stored => Ok(Packing::Stored),
            zip::CompressionMethod::DEFLATE => Ok(Packing::Deflate),
            _ => Err("it is packed in an unusual way; unpack it first"),
        };
        let bytes = packing.map_err(str::to_owned).and_then(|packing| {
            let start = file.data_start().ok_or("its place in the archive is not known")?;
            let (bytes, length) = (Arc::clone(&bytes), file.compressed_size());
            Ok(Bytes::Packed(Packed { bytes, start, length, packings: vec![packing] }))
        });
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        files.push(ZipFile { name, bytes });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The bytes where they can be read by position: what comes through a pipe is put into a file.
fn by_position(bytes: Bytes) -> io::Result<Bytes> {
    if bytes.is_seekable() { Ok(bytes) } else { spooled(&mut bytes.into_stream()) }
}

/// Counts what is read.
struct Counted {
    inner: ByteStream,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Says in words what is wrong with packed bytes, and stops where they unpack to far more than traffic can.
struct Unpacked {
    packing: Packing,
    inner: ByteStream,
    taken: Arc<AtomicU64>,
    given: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = self.packing.name();
        let count = self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => {
                io::Error::other(format!("the {name} data ends in the middle"))
            }
            _ => io::Error::other(format!("the {name} data is damaged ({error})")),
        })?;
        self.given += count as u64;
        let taken = self.taken.load(Ordering::Relaxed);
        if self.given > limits::UNPACKED_BYTES && self.given / limits::UNPACKED_RATIO > taken {
            return Err(io::Error::other(format!(
                "the {name} data unpacks to more than {} times its size, which no traffic does",
                limits::UNPACKED_RATIO
            )));
        }
        Ok(count)
    }
}

/// zlib, or deflate alone. (The readers of `flate2` take the end of the input for the end of the data.)
struct Inflate {
    source: BufReader<Counted>,
    state: Decompress,
    has_ended: bool,
}

impl Inflate {
    fn new(source: Counted, is_zlib: bool) -> Self {
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

/// The frames of a zstd file, one after the other; what stands between them to be skipped is skipped.
struct ZstdFrames {
    source: BufReader<Counted>,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl ZstdFrames {
    fn new(source: Counted) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(limits::ZSTD_WINDOW_BYTES);
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

/// The end of the file is what most of this decoder's errors are about; it has no kind for that.
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
