//! The files of a zip archive.

use std::io::{self, BufReader};
use std::sync::Arc;

use crate::capture::bytes::unpack::budget::UnpackBudget;
use crate::capture::bytes::unpack::{Compression, CompressionLayer, Packed};
use crate::capture::bytes::{Bytes, BytesSection, spooled};

/// A file of a zip archive.
pub(crate) struct ZipFile {
    pub(crate) name: String,
    /// The bytes of the file, or the reason why they cannot be read.
    pub(crate) bytes: Result<Bytes, String>,
}

/// Returns the files of a zip archive, sorted by name. An archive that is itself compressed is
/// copied to a temporary file.
pub(crate) fn zip_files(bytes: Bytes, budget: &Arc<UnpackBudget>) -> io::Result<Vec<ZipFile>> {
    let bytes =
        Arc::new(if bytes.is_seekable() { bytes } else { spooled(&mut bytes.into_stream())? });
    let section = BytesSection::whole(Arc::clone(&bytes));
    let mut archive = zip::ZipArchive::new(BufReader::new(section)).map_err(io::Error::other)?;
    let mut files = Vec::new();
    let mut places = Vec::new();
    for index in 0..archive.len() {
        if !budget.count_file() {
            break;
        }
        let file = archive.by_index_raw(index).map_err(io::Error::other)?;
        if !file.is_file() {
            continue;
        }
        let packing = match file.compression() {
            _ if file.encrypted() => Err("it is encrypted; unpack it with its password first"),
            zip::CompressionMethod::Stored => Ok(Compression::Stored),
            zip::CompressionMethod::DEFLATE => Ok(Compression::Deflate),
            _ => Err("it is packed in an unusual way; unpack it first"),
        };
        let start = file.data_start().ok_or("its place in the archive is not known");
        let place = packing.and_then(|packing| Ok((packing, start?)));
        if let Ok((_, start)) = place {
            places.push((start, file.compressed_size(), files.len()));
        }
        let bytes = place.map_err(str::to_owned).map(|(packing, start)| {
            let layers = vec![CompressionLayer::new(packing)];
            let (bytes, budget) = (Arc::clone(&bytes), Arc::clone(budget));
            Bytes::Packed(Packed { bytes, start, length: file.compressed_size(), layers, budget })
        });
        files.push(ZipFile { name: String::from_utf8_lossy(file.name_raw()).into_owned(), bytes });
    }
    refuse_shared(&mut files, places);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Refuses files that share bytes with a file before them. No program writes such archives, and a
/// few shared bytes could be unpacked any number of times. `places` has the start, the length and
/// the index of each file.
fn refuse_shared(files: &mut [ZipFile], mut places: Vec<(u64, u64, usize)>) {
    places.sort_unstable();
    let mut end = 0;
    for (start, length, number) in places {
        if start < end && length > 0 {
            let why =
                "it shares its bytes with another file of this archive; save the archive again";
            files[number].bytes = Err(why.to_owned());
        } else {
            end = end.max(start.saturating_add(length));
        }
    }
}
