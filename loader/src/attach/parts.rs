//! Attaching many places with one link, when the kernel refuses some of them.

use crate::sys::in_words;
use std::io;

/// What became of a list of places.
#[derive(Debug)]
pub(super) struct Parts<P, L> {
    /// What holds those that are attached.
    pub(super) links: Vec<L>,
    /// Places that the kernel does not accept, and why.
    pub(super) refused: Vec<(P, String)>,
}

/// Attaches to all places with one link. One bad place makes the kernel refuse the whole link, without saying which it is: the list is
/// halved until it is found, and the others are attached. `is_of_place` tells the errors that speak against a place, and not against
/// the caller. An error only if nothing could be attached.
pub(super) fn attach_parts<P: Clone, L>(
    places: &[P],
    is_of_place: &dyn Fn(&io::Error) -> bool,
    link_of: &dyn Fn(&[P]) -> io::Result<L>,
) -> io::Result<Parts<P, L>> {
    let error = match link_of(places) {
        Ok(link) => return Ok(Parts { links: vec![link], refused: Vec::new() }),
        Err(error) => error,
    };
    if places.len() < 2 || !is_of_place(&error) {
        return Err(error);
    }
    let (left, right) = places.split_at(places.len() / 2);
    let halves = [left, right].map(|half| attach_parts(half, is_of_place, link_of));
    if halves.iter().all(Result::is_err) {
        return Err(error);
    }
    let mut all = Parts { links: Vec::new(), refused: Vec::new() };
    for (part, places) in halves.into_iter().zip([left, right]) {
        match part {
            Ok(part) => {
                all.links.extend(part.links);
                all.refused.extend(part.refused);
            }
            Err(error) => all.refused.extend(places.iter().map(|place| (place.clone(), in_words(&error)))),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_place(error: &io::Error) -> bool {
        error.raw_os_error() == Some(libc::EINVAL)
    }

    /// A kernel that refuses odd places, with this error.
    fn kernel(code: i32) -> impl Fn(&[u64]) -> io::Result<Vec<u64>> {
        move |places| match places.iter().any(|place| place % 2 == 1) {
            true => Err(io::Error::from_raw_os_error(code)),
            false => Ok(places.to_vec()),
        }
    }

    #[test]
    fn bad_places_are_found_and_left_out() {
        let parts = attach_parts(&[2, 4, 6, 7, 8, 10, 12, 13], &of_place, &kernel(libc::EINVAL)).unwrap();
        let mut attached = parts.links.concat();
        attached.sort_unstable();
        assert_eq!(attached, [2, 4, 6, 8, 10, 12]);
        let refused: Vec<u64> = parts.refused.iter().map(|(place, _)| *place).collect();
        assert_eq!(refused, [7, 13]);
    }

    #[test]
    fn good_places_are_one_link() {
        let parts = attach_parts(&[2, 4, 6], &of_place, &kernel(libc::EINVAL)).unwrap();
        assert_eq!(parts.links, [[2, 4, 6]]);
        assert!(parts.refused.is_empty());
    }

    #[test]
    fn nothing_attached_is_an_error() {
        assert!(attach_parts(&[1, 3], &of_place, &kernel(libc::EINVAL)).is_err());
        let denied = attach_parts(&[2, 3], &of_place, &kernel(libc::EPERM)).map(|p| p.links);
        assert_eq!(denied.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
