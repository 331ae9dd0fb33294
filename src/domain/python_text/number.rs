//! Python's `repr()` of a float.

/// The shortest digits that read back as `float`, as a decimal number from 0.0001 to below 1e16
/// and with an exponent of two digits or more outside
/// ([`float_repr_style` "short"](https://docs.python.org/3.11/library/sys.html#sys.float_repr_style)).
///
/// `float` is finite: no other number is valid JSON.
pub(super) fn float_repr(float: f64) -> String {
    let scientific = shortest(float);
    let (mantissa, exponent) =
        scientific.split_once('e').expect("the format `e` writes an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent of a float is a small integer");
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let sign = if float.is_sign_negative() { "-" } else { "" };
    let mut digits = mantissa.replace(['-', '.'], "");
    let places = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(places - 1));
    }
    while digits.len() < places + 2 {
        digits.push('0');
    }
    digits.insert(places + 1, '.');
    format!("{sign}{digits}")
}

/// The shortest digits with an exponent; of two equally near texts the one with an even last digit.
///
/// Rust's own shortest format rounds up there. Its format of a given length rounds to even, but
/// beside a power of two may not read back as the same float.
fn shortest(float: f64) -> String {
    let shortest = format!("{float:e}");
    let decimals = shortest.bytes().skip_while(|&b| b != b'.').take_while(|&b| b != b'e').count();
    let nearest = format!("{float:.*e}", decimals.saturating_sub(1));
    if nearest.parse() == Ok(float) { nearest } else { shortest }
}

#[cfg(test)]
mod tests {
    use super::float_repr;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (float, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (-0.000_012_5, "-1.25e-05"),
            (123_456_789.125, "123456789.125"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.234e16, "1.234e+16"),
            (1e100, "1e+100"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
            (5e-324, "5e-324"),
            (7_991_300_319_176_049.0 / 4.0, "1997825079794012.2"),
            (-7_991_300_319_176_051.0 / 4.0, "-1997825079794012.8"),
            (2.0_f64.powi(-44), "5.684341886080802e-14"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(float_repr(float), text);
        }
    }
}
