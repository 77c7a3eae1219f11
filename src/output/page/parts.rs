//! The optional parts of a page, added as far as its size allows: fields, near misses, descriptions.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::output::page::endpoint_view::EndpointView;
use crate::output::page::{Page, PageEndpoint, PageTemplate};
use crate::report::decision::NearMiss;

/// The largest size of a page in bytes without endpoints, and what each endpoint adds.
const MAX_PAGE_BYTES: usize = 140_000;
const MAX_ENDPOINT_BYTES: usize = 1_500;
/// Bytes of the elements around one part of an endpoint, at most.
const MAX_FRAME_BYTES: usize = 110;
/// Most near misses of an endpoint that are shown.
const MAX_NEAR_MISSES: usize = 2;

impl Page {
    /// Adds what there is room for in a page of so many bytes: the fields of messages, then near misses, both in the order of the
    /// endpoints, then the OpenAPI descriptions: as text if all of them fit, else packed, which needs the page's script.
    pub(super) fn add_parts<'r>(
        &'r self,
        template: &mut PageTemplate<'r>,
        bytes: usize,
    ) -> io::Result<()> {
        let count: usize = template.hosts.iter().map(|host| host.endpoints.len()).sum();
        let mut room = (MAX_PAGE_BYTES + count * MAX_ENDPOINT_BYTES).saturating_sub(bytes);
        let mut take = |size: usize| {
            let fits = size <= room;
            room -= if fits { size } else { 0 };
            fits
        };
        let mut shown: Vec<(&mut EndpointView<'r>, &'r PageEndpoint)> = template
            .hosts
            .iter_mut()
            .flat_map(|host| &mut host.endpoints)
            .filter_map(|view| {
                let known = self.endpoints.get(&view.pattern.id)?;
                Some((view, known))
            })
            .collect();
        for (view, known) in &mut shown {
            if take(escaped_bytes(&known.security) + MAX_FRAME_BYTES) {
                view.security = &known.security;
            }
            let lines = known.fields.iter().map(|field| (&field.path, field.in_words()));
            let size =
                |(path, words): (&String, String)| escaped_bytes(path) + escaped_bytes(&words) + 2;
            if take(MAX_FRAME_BYTES + lines.map(size).sum::<usize>()) {
                view.details.fields = &known.fields;
                view.more_fields = known.more_fields;
            }
        }
        for (view, known) in &mut shown {
            let misses = known.near_misses.iter().take(MAX_NEAR_MISSES).map(NearMiss::in_words);
            let misses: Vec<String> = misses.collect();
            if take(
                MAX_FRAME_BYTES + misses.iter().map(|miss| escaped_bytes(miss) + 9).sum::<usize>(),
            ) {
                view.details.near_misses = misses;
            }
        }
        let size = |known: &PageEndpoint| escaped_bytes(&known.openapi) + MAX_FRAME_BYTES;
        if take(shown.iter().map(|(_, known)| size(known)).sum()) {
            for (view, known) in shown {
                view.openapi = &known.openapi;
            }
            return Ok(());
        }
        let mut packed: Vec<(&str, &str)> =
            shown.iter().map(|(view, known)| (&*view.pattern.id, &*known.openapi)).collect();
        packed.retain(|(_, yaml)| !yaml.is_empty());
        let all = packed.len();
        loop {
            template.packed = pack(&packed)?;
            template.undescribed = all - packed.len();
            if template.packed.len() <= room || packed.is_empty() {
                return Ok(());
            }
            packed.truncate(packed.len() / 2);
        }
    }
}

/// OpenAPI descriptions by endpoint as JSON in gzip in Base64.
fn pack(described: &[(&str, &str)]) -> io::Result<String> {
    let by_id: BTreeMap<&str, &str> = described.iter().copied().collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut packed, &by_id)?;
    Ok(BASE64_STANDARD.encode(packed.finish()?))
}

/// The number of bytes of a text in a page: what has a meaning in HTML is written as five bytes (`&#34;`).
fn escaped_bytes(text: &str) -> usize {
    let is_escaped = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'');
    text.len() + 4 * text.bytes().filter(is_escaped).count()
}
