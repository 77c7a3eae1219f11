//! One capture, read by many machines: parts that each decode on their own, whose states merge to that of the whole.

use std::path::Path;

use crate::capture::batch::Batch;
use crate::capture::bytes::Bytes;
use crate::capture::{Bodies, CaptureItem, Captures, Chunk, Content, Framer, InputFormat, decode};
use crate::engine::filter::Filter;
use crate::engine::fold::{FlowCollector, collect};
use crate::engine::options::Options;
use crate::engine::problems::problems;
use crate::engine::progress::{Monitor, Progress};
use crate::error::Error;
use crate::limits;
use crate::patterns::Patterns;
use crate::skip::SkipPlace;

/// A part of a capture file: places where whole records stand, as (offset, length) in bytes.
///
/// A file that cannot be cut (packed, or a database) is one part without places.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is sent to other machines by whatever means there are"
)]
pub struct Split {
    /// Where its records stand; `None` for all of the file.
    pub places: Option<Vec<(u64, u64)>>,
}

/// Cuts a capture file into parts of about `bytes` each, at the boundaries of its records.
///
/// The file is read once, which is as fast as the disk, to find them. The state that comes with the parts holds what is in
/// none of them: damage between records, and records so large that only a part of them is read. Sentences about damage, as
/// of [`Analysis::problems`](crate::Analysis::problems), come beside it.
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
/// Where the file cannot be opened or read to its end, or is no capture; and where the options have a limit, for which all
/// flows must be known at once.
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
    let Some(file) = file_of(&captures) else {
        return Ok((vec![Split { places: None }], Patterns::new(), Vec::new()));
    };
    let source = &captures.sources[0];
    let filter = Filter::new(options);
    let mut rest = Patterns::new();
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
                // What was left out of a large record is not what stands in the file.
                if stands_at(file, batch.offset, batch.bytes(), &mut held) {
                    places.push((batch.offset, length));
                    taken += length;
                } else {
                    decode(source, &batch, Bodies::Left, &|| true, &mut |offset, found| {
                        rest.take(&filter, (0, offset), found);
                    });
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

/// Observes one part of a capture file. Beside what was seen come sentences about damage, and where a file that is no part but
/// a whole could not be read to its end.
///
/// # Errors
///
/// Where the file cannot be opened or read at a place of the part, and where the monitor stopped it.
pub fn observe_split(
    path: impl AsRef<Path>,
    format: InputFormat,
    part: &Split,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, Vec<String>), Error> {
    let captures = Captures::open(&[path], format)?;
    let (Some(file), Some(places)) = (file_of(&captures), &part.places) else {
        let (patterns, outcome) = collect(&captures, options, monitor, Patterns::new)?;
        if outcome.stopped {
            return Err(Error::canceled());
        }
        let sentences = problems(&captures, &patterns.skips, Vec::new(), &outcome.failures);
        return Ok((patterns, sentences));
    };
    let source = &captures.sources[0];
    let filter = Filter::new(options);
    let mut patterns = Patterns::new();
    let mut batch = Batch::default();
    let mut read = 0;
    for &(offset, length) in places {
        let bytes = file
            .range(offset, length)
            .map_err(|error| Error::io(&source.name, "read on in", error).at(offset))?;
        batch.replace(bytes);
        batch.offset = offset;
        decode(source, &batch, Bodies::Left, &|| true, &mut |offset, found: CaptureItem<'_>| {
            patterns.take(&filter, (0, offset), found);
        });
        read += length;
        let progress = Progress { bytes: read, total_bytes: None, flows: patterns.used() };
        if !monitor.progress(&progress) {
            return Err(Error::canceled());
        }
    }
    let sentences = problems(&captures, &patterns.skips, Vec::new(), &[]);
    Ok((patterns, sentences))
}

/// The file of the one capture that stands in it as it is.
fn file_of(captures: &Captures) -> Option<&Bytes> {
    let [source] = &captures.sources[..] else { return None };
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(irrefutable_let_patterns, reason = "without databases there is nothing else")
    )]
    let Content::Bytes(bytes) = &source.content else { return None };
    bytes.is_seekable().then_some(bytes)
}

/// Do these bytes stand in the file at that place?
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
