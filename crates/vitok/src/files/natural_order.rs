//! The order in which people count: `frame2` before `frame10`.

use std::cmp::Ordering;
use std::ffi::OsStr;

/// Compares two names: runs of ASCII digits by the numbers they are, everything else byte by byte. Names that differ in
/// nothing but zeros before a number are in the order of their bytes, so that no two names are equal.
///
/// The order is the same on every system and in every language.
pub fn natural_order(a: &OsStr, b: &OsStr) -> Ordering {
    let (a, b) = (a.as_encoded_bytes(), b.as_encoded_bytes());
    by_numbers(a, b).then_with(|| a.cmp(b))
}

fn by_numbers(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (take_number(&mut a), take_number(&mut b));
            // Of two numbers without zeros in front the longer one is larger.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Takes the digits that `text` begins with; returns them without zeros in front.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    *text = rest;
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Less};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let sorted = [
            "",
            "1",
            "02",
            "2",
            "2a",
            "10",
            "99999999999999999999",
            "100000000000000000000",
            "a",
            "a-1",
            "a1",
            "a01b2",
            "a1b10",
            "frame1.png",
            "frame2.png",
            "frame10.png",
            "frame010.png.txt",
            "é",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(natural_order(pair[0].as_ref(), pair[1].as_ref()), Less, "{pair:?}");
        }
    }

    proptest! {
        /// A total order: equal only to itself, the same from both sides, and transitive.
        #[test]
        fn the_order_is_total(names in prop::array::uniform3("[a0-2.]{0,6}")) {
            let order = |i: usize, j: usize| natural_order(names[i].as_ref(), names[j].as_ref());
            prop_assert_eq!(order(0, 1) == Equal, names[0] == names[1]);
            prop_assert_eq!(order(0, 1), order(1, 0).reverse());
            if order(0, 1).is_le() && order(1, 2).is_le() {
                prop_assert!(order(0, 2).is_le());
            }
        }
    }
}
