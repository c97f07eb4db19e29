//! Pictures of the tray: told apart by shape, and by colour beside it.

/// How everything stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// Nothing fires: a ring.
    Calm,
    /// The worst is for information: a square.
    Info,
    /// The worst is a warning: a triangle.
    Warning,
    /// The worst is critical: a filled disc with a bar in it, as on a sign that forbids entry.
    Critical,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Info, Self::Warning, Self::Critical];
}

/// Width and height of a picture.
pub const SIZE: u32 = 32;

/// The picture as rows of RGBA, `SIZE` × `SIZE`, the background transparent.
#[must_use]
pub fn picture(look: Look) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((SIZE * SIZE * 4) as usize);
    let middle = f64::from(SIZE) / 2.0;
    for y in 0..SIZE {
        for x in 0..SIZE {
            let (across, down) = (f64::from(x) + 0.5 - middle, f64::from(y) + 0.5 - middle);
            pixels.extend(if is_inside(look, across, down) { colour(look) } else { [0; 4] });
        }
    }
    pixels
}

/// Colours that colour-blind people tell apart (Okabe and Ito), on light and dark panels.
const fn colour(look: Look) -> [u8; 4] {
    match look {
        Look::Calm => [0x00, 0x9e, 0x73, 0xff],
        Look::Info => [0x56, 0xb4, 0xe9, 0xff],
        Look::Warning => [0xe6, 0x9f, 0x00, 0xff],
        Look::Critical => [0xd5, 0x5e, 0x00, 0xff],
    }
}

/// Distances from the middle; down is positive.
fn is_inside(look: Look, across: f64, down: f64) -> bool {
    let radius = across.hypot(down);
    match look {
        Look::Calm => (9.0..=13.0).contains(&radius),
        Look::Info => across.abs() <= 11.0 && down.abs() <= 11.0,
        // Its tip is at the top, its base at the bottom.
        Look::Warning => (-13.0..=11.0).contains(&down) && across.abs() <= (down + 13.0) * 0.58,
        Look::Critical => radius <= 14.5 && !(down.abs() <= 2.5 && across.abs() <= 9.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silhouette(look: Look) -> Vec<bool> {
        picture(look).chunks(4).map(|pixel| pixel[3] > 0).collect()
    }

    #[test]
    fn every_look_has_a_shape_of_its_own_without_its_colour() {
        for one in Look::ALL {
            let shape = silhouette(one);
            assert_eq!(shape.len(), (SIZE * SIZE) as usize);
            for other in Look::ALL.into_iter().filter(|other| *other != one) {
                let different =
                    shape.iter().zip(silhouette(other)).filter(|(one, other)| **one != *other).count();
                assert!(different > 100, "{one:?} and {other:?} differ in {different} pixels only");
            }
        }
    }
}
