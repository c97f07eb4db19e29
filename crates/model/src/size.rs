//! Sizes as every part of the program writes them: by powers of 1024, under the names that Redis uses for them.

const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// Three digits and a unit: `940 B`, `17.2 MB`, `8.00 GB`. As in `redis.conf`, where `maxmemory 8gb` is 8 × 1024³ bytes,
/// so what was configured as 8gb reads `8.00 GB`. The window writes the same.
#[must_use]
pub fn format(bytes: f64) -> String {
    let (mut rest, mut step) = (bytes, 0);
    // 1023.5 would read 1024: it belongs to the next unit already.
    while rest.abs() >= 1023.5 && step + 1 < UNITS.len() {
        rest /= 1024.0;
        step += 1;
    }
    let digits = match rest.abs() {
        _ if step == 0 => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{rest:.digits$} {}", UNITS[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_redis_names_them() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (940.0, "940 B"),
            (1023.6, "1.00 kB"),
            (18_068_004.0, "17.2 MB"),
            (104_857_600.0, "100 MB"),
            (8.0 * 1024f64.powi(3), "8.00 GB"),
            (-12_480.0, "-12.2 kB"),
            (2f64.powi(70), "1048576 PB"),
        ] {
            assert_eq!(format(bytes), text);
        }
    }
}
