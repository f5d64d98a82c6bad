//! The order in which a hub test sees its overflows.
//!
//! The reference sorts with an unstable pattern-defeating quicksort, and expected results depend
//! on where it leaves equal elements. So the algorithm is part of the format: insertion sort up
//! to twelve elements, else the steps below.

/// Sorts indices `0..n` by `less`, as the reference would sort the elements behind them.
pub(super) fn order(n: usize, less: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut sorter = Sorter { items: (0..n).collect(), less };
    let limit = usize::BITS - n.leading_zeros();
    sorter.sort(0, n, limit);
    sorter.items
}

struct Sorter<F> {
    items: Vec<usize>,
    less: F,
}

/// What the choice of a pivot tells of the range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

const SHORT: usize = 12;

impl<F: Fn(usize, usize) -> bool> Sorter<F> {
    fn less(&self, i: usize, j: usize) -> bool {
        (self.less)(self.items[i], self.items[j])
    }

    fn swap(&mut self, i: usize, j: usize) {
        self.items.swap(i, j);
    }

    fn sort(&mut self, mut a: usize, mut b: usize, mut limit: u32) {
        let mut balanced = true;
        let mut partitioned = true;
        loop {
            let length = b - a;
            if length <= SHORT {
                return self.insertion(a, b);
            }
            if limit == 0 {
                return self.heap(a, b);
            }
            if !balanced {
                self.shuffle(a, b);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.pivot(a, b);
            if hint == Hint::Decreasing {
                self.items[a..b].reverse();
                pivot = (b - 1) - (pivot - a);
                hint = Hint::Increasing;
            }
            if balanced && partitioned && hint == Hint::Increasing && self.nearly_sorted(a, b) {
                return;
            }
            if a > 0 && !self.less(a - 1, pivot) {
                a = self.partition_equal(a, b, pivot);
                continue;
            }
            let (middle, already) = self.partition(a, b, pivot);
            partitioned = already;
            let (left, right) = (middle - a, b - middle);
            let threshold = length / 8;
            if left < right {
                balanced = left >= threshold;
                self.sort(a, middle, limit);
                a = middle + 1;
            } else {
                balanced = right >= threshold;
                self.sort(middle + 1, b, limit);
                b = middle;
            }
        }
    }

    fn insertion(&mut self, a: usize, b: usize) {
        for i in a + 1..b {
            let mut j = i;
            while j > a && self.less(j, j - 1) {
                self.swap(j, j - 1);
                j -= 1;
            }
        }
    }

    fn heap(&mut self, a: usize, b: usize) {
        let n = b - a;
        for root in (0..n / 2 + n % 2).rev() {
            self.sift(root, n, a);
        }
        for end in (0..n).rev() {
            self.swap(a, a + end);
            self.sift(0, end, a);
        }
    }

    fn sift(&mut self, mut root: usize, end: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.swap(first + root, first + child);
            root = child;
        }
    }

    /// Breaks a pattern that made the last partition lopsided.
    fn shuffle(&mut self, a: usize, b: usize) {
        let length = b - a;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let modulus = length.next_power_of_two() as u64;
        let middle = a + (length / 4) * 2;
        for i in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = usize::try_from(random & (modulus - 1)).expect("below the length");
            if other >= length {
                other -= length;
            }
            self.swap(middle - 1 + i, a + other);
        }
    }

    fn pivot(&self, a: usize, b: usize) -> (usize, Hint) {
        let length = b - a;
        let quarter = length / 4;
        let mut exchanges = 0;
        let (mut i, mut j, mut k) = (a + quarter, a + quarter * 2, a + quarter * 3);
        if length >= 8 {
            if length >= 50 {
                i = self.median(i - 1, i, i + 1, &mut exchanges);
                j = self.median(j - 1, j, j + 1, &mut exchanges);
                k = self.median(k - 1, k, k + 1, &mut exchanges);
            }
            j = self.median(i, j, k, &mut exchanges);
        }
        let hint = match exchanges {
            0 => Hint::Increasing,
            12 => Hint::Decreasing,
            _ => Hint::Unknown,
        };
        (j, hint)
    }

    fn median(&self, i: usize, j: usize, k: usize, exchanges: &mut u32) -> usize {
        let mut places = [i, j, k];
        for (first, second) in [(0, 1), (1, 2), (0, 1)] {
            if self.less(places[second], places[first]) {
                *exchanges += 1;
                places.swap(first, second);
            }
        }
        places[1]
    }

    /// Tries to finish a range that is almost sorted; says whether it is sorted now.
    fn nearly_sorted(&mut self, a: usize, b: usize) -> bool {
        const STEPS: usize = 5;
        const SHORTEST: usize = 50;
        let mut i = a + 1;
        for _ in 0..STEPS {
            while i < b && !self.less(i, i - 1) {
                i += 1;
            }
            if i == b {
                return true;
            }
            if b - a < SHORTEST {
                return false;
            }
            self.swap(i, i - 1);
            if i - a >= 2 {
                for j in (a + 1..i).rev() {
                    if !self.less(j, j - 1) {
                        break;
                    }
                    self.swap(j, j - 1);
                }
            }
            if b - i >= 2 {
                for j in i + 1..b {
                    if !self.less(j, j - 1) {
                        break;
                    }
                    self.swap(j, j - 1);
                }
            }
        }
        false
    }

    fn partition_equal(&mut self, a: usize, b: usize, pivot: usize) -> usize {
        self.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        loop {
            while i <= j && !self.less(a, i) {
                i += 1;
            }
            while i <= j && self.less(a, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    /// The pivot's place, and whether nothing had to move.
    fn partition(&mut self, a: usize, b: usize, pivot: usize) -> (usize, bool) {
        self.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        let mut already = true;
        loop {
            while i <= j && self.less(i, a) {
                i += 1;
            }
            while i <= j && !self.less(j, a) {
                j -= 1;
            }
            if i > j {
                self.swap(j, a);
                return (j, already);
            }
            already = false;
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn twelve_and_fewer_are_sorted_stably() {
        let keys = [3, 1, 2, 1, 3, 2];
        let sorted = order(keys.len(), |i, j| keys[i] < keys[j]);
        assert_eq!(sorted, [1, 3, 2, 5, 0, 4]);
    }

    proptest! {
        #[test]
        fn any_input_is_sorted_and_keeps_its_elements(keys in prop::collection::vec(0u8..20, 0..300)) {
            let sorted = order(keys.len(), |i, j| keys[i] < keys[j]);
            let mut places = sorted.clone();
            places.sort_unstable();
            prop_assert_eq!(places, (0..keys.len()).collect::<Vec<_>>());
            prop_assert!(sorted.windows(2).all(|pair| keys[pair[0]] <= keys[pair[1]]));
        }
    }
}
