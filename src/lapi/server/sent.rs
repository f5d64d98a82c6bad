//! What a request carries: read in bounded memory, unpacked where it was packed.

use std::io::Read as _;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use flate2::read::GzDecoder;

/// The body of a request, unpacked; or what is wrong with it, in a sentence. Neither packed nor
/// unpacked it is longer than `longest`.
pub(super) async fn sent(
    headers: &HeaderMap,
    body: Body,
    longest: usize,
) -> Result<Vec<u8>, String> {
    let mib = longest as f64 / f64::from(1 << 20);
    let Ok(bytes) = to_bytes(body, longest).await else {
        return Err(format!("the body cannot be read, or is longer than {mib} MiB"));
    };
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None => Ok(bytes.to_vec()),
        Some(b"gzip") => unpacked(&bytes, longest)?
            .ok_or_else(|| format!("the body unpacks to more than {mib} MiB")),
        Some(_) => Err("expected gzip as content encoding".to_owned()),
    }
}

/// What was packed by gzip; `None` where that is too much.
fn unpacked(bytes: &[u8], longest: usize) -> Result<Option<Vec<u8>>, String> {
    let mut text = Vec::new();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    let read = GzDecoder::new(bytes).take(limit).read_to_end(&mut text);
    read.map_err(|error| format!("the body is no gzip: {error}"))?;
    Ok((text.len() <= longest).then_some(text))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_small_body_that_unpacks_to_much_is_refused() {
        const LONGEST: usize = 1 << 20;
        let pack = |text: &[u8]| {
            let mut pack = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            pack.write_all(text).unwrap();
            pack.finish().unwrap()
        };
        assert_eq!(unpacked(&pack(b"{}"), LONGEST).unwrap().unwrap(), b"{}");
        assert_eq!(unpacked(&pack(&vec![b' '; LONGEST]), LONGEST).unwrap().unwrap().len(), LONGEST);
        assert_eq!(unpacked(&pack(&vec![b' '; 100 << 20]), LONGEST).unwrap(), None);
        assert!(unpacked(b"no gzip", LONGEST).is_err());
    }
}
