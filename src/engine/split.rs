//! Splits of one capture that several machines can read. The states of the splits merge to the
//! state of the whole capture.

use std::path::Path;

use crate::capture::batch::Batch;
use crate::capture::bytes::Bytes;
use crate::capture::{CaptureItem, Captures, Chunk, Content, Framer, InputFormat, decode};
use crate::engine::filter::Filter;
use crate::engine::fold::{FlowCollector, collect};
use crate::engine::options::Options;
use crate::engine::problems::problems;
use crate::engine::progress::{Monitor, Progress};
use crate::error::Error;
use crate::limits;
use crate::patterns::Patterns;
use crate::skip::SkipPlace;

/// A part of a capture file, as the places of whole records in the file.
///
/// A file that cannot be cut (compressed, or a database) is one part without places.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers send it to other machines in a format of their own"
)]
pub struct Split {
    /// Places of its records, as (offset, length) in bytes; `None` for the whole file.
    pub places: Option<Vec<(u64, u64)>>,
}

/// Cuts a capture file into parts of about `bytes` bytes each, at the boundaries of its records.
///
/// Reads the file once, at the speed of the disk. Returns the parts, a state, and sentences about
/// damage as of [`Analysis::problems`](crate::Analysis::problems). The state contains everything
/// that is not in one of the parts: damage between records, and records so large that only a part
/// of them is read.
///
/// ```
/// use api_patterns::{InputFormat, Options, observe_split, split};
///
/// let path = "fixtures/demo.mitm";
/// let options = Options::default();
/// let (parts, mut state, _problems) = split(path, InputFormat::Detect, 50_000, &options)?;
/// assert_eq!(parts.len(), 1);
/// for part in &parts {
///     // On any machine that has the file.
///     let (seen, _problems) = observe_split(path, InputFormat::Detect, part, &options, &())?;
///     state.merge(seen);
/// }
/// assert_eq!(state.used(), 65);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails if the file cannot be opened or read to its end, if it is not a capture, and if the
/// options have a limit, because the newest flows can only be chosen among all flows.
pub fn split(
    path: impl AsRef<Path>,
    format: InputFormat,
    bytes: u64,
    options: &Options,
) -> Result<(Vec<Split>, Patterns, Vec<String>), Error> {
    if options.limit.is_some() {
        return Err(Error::usage(
            "the newest flows can only be chosen among all flows; leave the limit out",
        ));
    }
    let captures = Captures::open(&[path], format)?;
    captures.require_flows()?;
    let Some(file) = file_of(&captures) else {
        return Ok((vec![Split { places: None }], options.new_patterns(), Vec::new()));
    };
    let source = &captures.sources[0];
    let filter = Filter::new(options);
    let mut rest = options.new_patterns();
    let mut parts = Vec::new();
    let mut places: Vec<(u64, u64)> = Vec::new();
    let mut taken = 0;
    let mut cutter = Framer::new(source, limits::DEFAULT_BATCH_BYTES, &|| true);
    let mut batch = Batch::default();
    let mut held = Vec::new();
    loop {
        match cutter.next(&mut batch) {
            Chunk::Batch => {
                let length = batch.bytes().len() as u64;
                // The batch of a compacted record differs from the bytes in the file.
                if stands_at(file, batch.offset, batch.bytes(), &mut held) {
                    places.push((batch.offset, length));
                    taken += length;
                } else {
                    decode(
                        source,
                        &batch,
                        options.read_bodies(),
                        &|| true,
                        &mut |offset, found| {
                            rest.take(&filter, (0, offset), found);
                        },
                    );
                }
                if taken >= bytes {
                    taken = 0;
                    parts.push(Split { places: Some(std::mem::take(&mut places)) });
                }
            }
            Chunk::Damage(damage) => {
                let place = SkipPlace { source: 0, offset: damage.offset, message: damage.message };
                rest.skips.add_at(damage.reason, place);
            }
            Chunk::End => break,
        }
    }
    if let Some(error) = cutter.failure() {
        return Err(Error::io(&source.name, "read on in", error).at(cutter.position()));
    }
    if !places.is_empty() {
        parts.push(Split { places: Some(places) });
    }
    let sentences = problems(&captures, &rest.skips, Vec::new(), &[]);
    Ok((parts, rest, sentences))
}

/// Observes one part of a capture file. Returns the state and sentences about problems: damage, and
/// for a part that is a whole file, the error after which it could not be read further.
///
/// ```
/// use api_patterns::{InputFormat, Options, Split, observe_split};
///
/// let whole = Split { places: None };
/// let options = Options::default();
/// let (state, _problems) =
///     observe_split("fixtures/demo.mitm", InputFormat::Detect, &whole, &options, &())?;
/// assert_eq!(state.used(), 65);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails if the file cannot be opened or read at a place of the part, and if the monitor stopped
/// the run.
pub fn observe_split(
    path: impl AsRef<Path>,
    format: InputFormat,
    part: &Split,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, Vec<String>), Error> {
    let captures = Captures::open(&[path], format)?;
    captures.require_flows()?;
    let (Some(file), Some(places)) = (file_of(&captures), &part.places) else {
        let (patterns, outcome) = collect(&captures, options, monitor, || options.new_patterns())?;
        if outcome.stopped {
            return Err(Error::canceled());
        }
        let sentences = problems(&captures, &patterns.skips, Vec::new(), &outcome.failures);
        return Ok((patterns, sentences));
    };
    let source = &captures.sources[0];
    let filter = Filter::new(options);
    let mut patterns = options.new_patterns();
    let mut batch = Batch::default();
    let mut read = 0;
    for &(offset, length) in places {
        let bytes = file
            .range(offset, length)
            .map_err(|error| Error::io(&source.name, "read on in", error).at(offset))?;
        batch.replace(bytes);
        batch.offset = offset;
        decode(
            source,
            &batch,
            options.read_bodies(),
            &|| true,
            &mut |offset, found: CaptureItem<'_>| {
                patterns.take(&filter, (0, offset), found);
            },
        );
        read += length;
        let progress = Progress { bytes: read, total_bytes: None, flows: patterns.used() };
        if !monitor.progress(&progress) {
            return Err(Error::canceled());
        }
    }
    let sentences = problems(&captures, &patterns.skips, Vec::new(), &[]);
    Ok((patterns, sentences))
}

/// The file of the only capture. `None` if there are several captures, or if it cannot be read by
/// position.
fn file_of(captures: &Captures) -> Option<&Bytes> {
    let [source] = &captures.sources[..] else { return None };
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(irrefutable_let_patterns, reason = "without databases there is nothing else")
    )]
    let Content::Bytes(bytes) = &source.content else { return None };
    bytes.is_seekable().then_some(bytes)
}

/// Returns `true` if the file has these bytes at the offset.
fn stands_at(file: &Bytes, offset: u64, bytes: &[u8], held: &mut Vec<u8>) -> bool {
    held.resize(bytes.len(), 0);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(offset + filled as u64, &mut held[filled..]) {
            Ok(count) if count > 0 => filled += count,
            _ => return false,
        }
    }
    held == bytes
}
