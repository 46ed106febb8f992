//! STUN binding (RFC 8489), as Teams media relays answer it.

use std::net::{IpAddr, SocketAddr};

/// Where relays listen.
pub(crate) const PORT: u16 = 3478;

const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];

/// The success response to a binding request from `source`; `None` when it is not one.
pub(crate) fn answer(request: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(request.get(2..4)?.try_into().ok()?));
    let shaped = request.len() == HEADER + length && length % 4 == 0;
    if !shaped || request.get(..2)? != BINDING_REQUEST || request.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    // Cookie and transaction id together are the key for IPv6; the cookie alone is it for IPv4.
    let key = request.get(4..HEADER)?;
    let (family, octets) = match source.ip() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let value_length = u8::try_from(4 + octets.len()).ok()?;
    let mut response = BINDING_SUCCESS.to_vec();
    response.extend([0, 4 + value_length]);
    response.extend(key);
    response.extend(XOR_MAPPED_ADDRESS);
    response.extend([0, value_length, 0, family]);
    response.extend(xor(&source.port().to_be_bytes(), key));
    response.extend(xor(&octets, key));
    Some(response)
}

fn xor<'a>(bytes: &'a [u8], key: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    bytes.iter().zip(key).map(|(byte, key)| byte ^ key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend(1..=12);
        request
    }

    #[test]
    fn a_binding_request_is_told_where_it_came_from() {
        let response = answer(&request(), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(response[..4], [1, 1, 0, 12]);
        assert_eq!(response[4..20], request()[4..20]);
        // The address and port of RFC 5769 section 2.2, there for the same cookie.
        assert_eq!(response[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let six = answer(&request(), "[2001:db8::1]:1".parse().unwrap()).unwrap();
        assert_eq!((six.len(), six[3]), (44, 24));
        assert_eq!(six[43], 0x01 ^ 0x0c);
    }

    #[test]
    fn anything_else_is_not_answered() {
        let source = "192.0.2.1:1".parse().unwrap();
        let spoilt = |at: usize, with: u8| {
            let mut request = request();
            request[at] = with;
            answer(&request, source)
        };
        assert_eq!(spoilt(0, 1), None);
        assert_eq!(spoilt(3, 4), None);
        assert_eq!(spoilt(4, 0), None);
        assert_eq!(answer(&request()[..19], source), None);
        assert_eq!(answer(b"hello", source), None);
    }
}
