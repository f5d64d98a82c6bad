//! Places and networks of addresses, from databases in MaxMind's format.

#[cfg(test)]
pub(crate) mod sample;

use std::net::IpAddr;

use ipnet::IpNet;
use maxminddb::geoip2::{Asn, City, city};
use maxminddb::{LookupResult, MaxMindDbError, Reader};

/// The databases, as far as there are any.
#[derive(Debug, Default)]
pub struct Geo {
    city: Option<Reader<Vec<u8>>>,
    asn: Option<Reader<Vec<u8>>>,
}

/// Bytes are no database.
#[derive(Debug, thiserror::Error)]
#[error("this is no database in MaxMind's format")]
pub struct GeoError(#[from] MaxMindDbError);

/// The place of an address.
pub type CityRecord<'g> = City<'g>;

/// The network operator of an address.
pub type AsRecord<'g> = Asn<'g>;

impl Geo {
    /// Takes the bytes of a database; what it tells is known from its type. A later one of the
    /// same type replaces the earlier one. Returns false for a type that rules have no use for.
    ///
    /// # Errors
    /// When the bytes are no database.
    pub fn add(&mut self, bytes: Vec<u8>) -> Result<bool, GeoError> {
        let reader = Reader::from_source(bytes)?;
        let kind = reader.metadata.database_type.to_ascii_lowercase();
        if kind.contains("asn") {
            self.asn = Some(reader);
        } else if kind.contains("city") || kind.contains("country") {
            self.city = Some(reader);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether there is a database of places.
    #[inline]
    #[must_use]
    pub fn knows_places(&self) -> bool {
        self.city.is_some()
    }

    /// Whether there is a database of network operators.
    #[inline]
    #[must_use]
    pub fn knows_networks(&self) -> bool {
        self.asn.is_some()
    }

    /// The place of an address; one that says nothing for an address that the database does not
    /// know, `None` without a database.
    #[must_use]
    pub fn city(&self, address: IpAddr) -> Option<CityRecord<'_>> {
        let found = self.city.as_ref()?.lookup(address).ok()?.decode().ok()?;
        Some(found.unwrap_or_default())
    }

    /// The network operator of an address; one that says nothing for an address that the database
    /// does not know, `None` without a database.
    #[must_use]
    pub fn asn(&self, address: IpAddr) -> Option<AsRecord<'_>> {
        let found = self.asn.as_ref()?.lookup(address).ok()?.decode().ok()?;
        let nobody = Asn { autonomous_system_number: None, autonomous_system_organization: None };
        Some(found.unwrap_or(nobody))
    }

    /// The network that the record of an address's operator is about.
    #[must_use]
    pub fn range(&self, address: IpAddr) -> Option<IpNet> {
        let found: LookupResult<'_, _> = self.asn.as_ref()?.lookup(address).ok()?;
        if !found.has_data() {
            return None;
        }
        let network = found.network().ok()?;
        IpNet::new(network.ip(), network.prefix()).ok()
    }

    /// The country of an address, else the one its network is registered in, else the one its
    /// users represent: its ISO code (`""` when unknown) and whether it is in the European Union.
    #[must_use]
    pub fn country<'g>(record: &CityRecord<'g>) -> (&'g str, bool) {
        let of = |country: &city::Country<'g>| {
            country.iso_code.map(|code| (code, country.is_in_european_union.unwrap_or(false)))
        };
        of(&record.country)
            .or_else(|| of(&record.registered_country))
            .or_else(|| {
                let country = &record.represented_country;
                let code = country.iso_code?;
                Some((code, country.is_in_european_union.unwrap_or(false)))
            })
            .unwrap_or(("", false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_database_nothing_is_known() {
        let geo = Geo::default();
        let address = "192.0.2.1".parse().expect("address");
        assert!(geo.city(address).is_none());
        assert!(geo.asn(address).is_none());
        assert_eq!(geo.range(address), None);
    }

    #[test]
    fn addresses_are_found_in_their_networks() {
        let operator = serde_json::json!({
            "autonomous_system_number": 64500,
            "autonomous_system_organization": "Example",
        });
        let entries = [
            ("192.0.2.0/24", serde_json::json!({})),
            ("192.0.2.128/25", operator.clone()),
            ("2001:db8::/32", operator),
        ];
        let mut geo = Geo::default();
        assert!(geo.add(sample::database("GeoLite2-ASN", &entries)).expect("a database"));
        let number = |address: &str| {
            let address = address.parse().expect("address");
            let network = geo.range(address).map(|network| network.to_string());
            let record = geo.asn(address).expect("a record, if an empty one");
            (record.autonomous_system_number, network)
        };
        assert_eq!(number("192.0.2.200"), (Some(64500), Some("192.0.2.128/25".into())));
        assert_eq!(number("192.0.2.1"), (None, Some("192.0.2.0/25".into())));
        assert_eq!(number("2001:db8:1::1"), (Some(64500), Some("2001:db8::/32".into())));
        assert_eq!(number("198.51.100.1"), (None, None));
        assert!(geo.city("192.0.2.1".parse().expect("address")).is_none());
    }

    #[test]
    fn a_database_of_another_kind_is_of_no_use() {
        let bytes = sample::database("GeoIP2-Domain", &[("192.0.2.0/24", serde_json::json!({}))]);
        assert!(!Geo::default().add(bytes).expect("a database"));
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(Geo::default().add(b"no database".to_vec()).is_err());
    }

    #[test]
    fn the_first_country_that_is_known() {
        let mut record = City::default();
        assert_eq!(Geo::country(&record), ("", false));
        record.represented_country.iso_code = Some("US");
        assert_eq!(Geo::country(&record), ("US", false));
        record.registered_country.iso_code = Some("FR");
        record.registered_country.is_in_european_union = Some(true);
        assert_eq!(Geo::country(&record), ("FR", true));
        record.country.iso_code = Some("CH");
        assert_eq!(Geo::country(&record), ("CH", false));
    }
}
