//! Who may ask for what.
//!
//! Whoever can open the socket may look. Changes, and what the log says, are for root, for the
//! daemon's own user and for the members of its group, whatever the mode of the socket became.

/// A user and their groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gids: Vec<u32>,
}

/// The daemon's own user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    /// Whether `peer` may change what is banned and read log lines.
    pub(super) fn trusts(self, peer: &Peer) -> bool {
        peer.uid == 0 || peer.uid == self.uid || peer.gids.contains(&self.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uid: u32, gids: &[u32], expected: bool) {
        let owner = Owner { uid: 990, gid: 980 };
        assert_eq!(owner.trusts(&Peer { uid, gids: gids.to_vec() }), expected);
    }

    #[test]
    fn trust_is_for_root_the_user_and_the_group() {
        check(0, &[0], true);
        check(990, &[100], true);
        check(1000, &[1000, 980], true);
        check(1000, &[980], true);
        check(1000, &[1000, 0], false);
        check(980, &[990], false);
        check(1000, &[], false);
    }
}
