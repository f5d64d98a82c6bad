//! Numbers as people read them.

/// `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: `0`, `0.2`, `12.3`, `1,234`. What is above zero is never shown as zero.
pub(super) fn rate(rate: f64) -> String {
    if rate <= 0.0 || !rate.is_finite() {
        "0".to_owned()
    } else if rate < 0.05 {
        "<0.1".to_owned()
    } else if rate < 99.95 {
        format!("{rate:.1}")
    } else {
        grouped(whole(rate))
    }
}

/// `1.2 MB`, with powers of ten as in Prometheus.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut size = as_float(count) / 1e3;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1e3;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A share: `98.2 %`. Not all is never `100`, something never `0`; nothing of nothing is `-`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    if part >= whole {
        return "100 %".to_owned();
    }
    if part == 0 {
        return "0 %".to_owned();
    }
    let share = as_float(part) / as_float(whole) * 100.0;
    format!("{:.1} %", share.clamp(0.1, 99.9))
}

/// The height of each point, as one character each; the last `width` points at most, several in one
/// character where there are more, of which the highest counts.
pub(super) fn spark(series: &[u64], width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if width == 0 || series.is_empty() {
        return String::new();
    }
    let each = series.len().div_ceil(width);
    // From the newest on, so that it stands alone where the points do not divide.
    let highest = |points: &[u64]| points.iter().copied().max().unwrap_or(0);
    let mut points: Vec<u64> = series.rchunks(each).map(highest).collect();
    points.reverse();
    let most = highest(&points).max(1);
    let steps = BLOCKS.len() as u64 - 1;
    let block = |point: u64| {
        // What is above zero is seen.
        let height = u128::from(point) * u128::from(steps) / u128::from(most);
        let height = usize::try_from(height).unwrap_or(0);
        BLOCKS[if point > 0 { height.max(1) } else { 0 }]
    };
    points.into_iter().map(block).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, positive")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_groups() {
        let shown = [0, 7, 999, 1000, 12_345, 1_234_567, u64::MAX].map(grouped);
        assert_eq!(
            shown,
            ["0", "7", "999", "1,000", "12,345", "1,234,567", "18,446,744,073,709,551,615"]
        );
    }

    #[test]
    fn rates_are_short() {
        let shown = [0.0, 0.001, 0.25, 3.0, 99.94, 99.96, 12_345.6, f64::NAN].map(rate);
        assert_eq!(shown, ["0", "<0.1", "0.2", "3.0", "99.9", "100", "12,346", "0"]);
    }

    #[test]
    fn sizes_have_units() {
        let shown = [0, 999, 1000, 999_949, 999_950, 1_234_567_890, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.2 GB", "18.4 EB"]);
    }

    #[test]
    fn shares_do_not_round_to_all_or_nothing() {
        let shown = [(0, 0), (0, 9), (1, 10_000), (1, 3), (9_999, 10_000), (9, 9)]
            .map(|(part, whole)| share(part, whole));
        assert_eq!(shown, ["-", "0 %", "0.1 %", "33.3 %", "99.9 %", "100 %"]);
    }

    #[test]
    fn sparks_show_the_newest_and_the_highest() {
        assert_eq!(spark(&[], 5), "");
        assert_eq!(spark(&[0, 0], 5), "▁▁");
        assert_eq!(spark(&[0, 1, 1000], 5), "▁▂█");
        assert_eq!(spark(&[7, 6, 5, 4, 3, 2, 1, 0], 8), "█▇▆▅▄▃▂▁");
        assert_eq!(spark(&[9, 0, 0, 1, 9], 3), "█▁█");
        assert_eq!(spark(&[u64::MAX, u64::MAX / 2], 2), "█▄");
        assert_eq!(spark(&[3; 60], 20).chars().count(), 20);
    }
}
