//! Reads images and writes their pixels as PPM, for other programs to compare: what `scripts/parity-images` asks.
//!
//! Each line of the standard input is `READING<TAB>IMAGE<TAB>PPM`, where `READING` is `pillow` (as `Image.open(path)
//! .convert("RGB")`), `shown` (upright, over white), or `frames` (the same, every frame of an animation behind the other).
//! Each line of the standard output is `ok`, or what is wrong with the image.

use std::io::{self, BufRead};
use std::path::Path;

use vitok::media::{Clip, Image, ReadOptions, read_clip, read_image};

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut fields = line.split('\t');
        let (Some(reading), Some(image), Some(ppm)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(io::Error::other(format!("not three fields: {line}")));
        };
        match read(reading, Path::new(image)) {
            Ok(frames) => {
                std::fs::write(ppm, frames.iter().flat_map(to_ppm).collect::<Vec<_>>())?;
                println!("ok");
            }
            Err(error) => println!("{}", error.message().replace('\n', " ")),
        }
    }
    Ok(())
}

fn read(reading: &str, path: &Path) -> vitok::Result<Vec<Image>> {
    match reading {
        "pillow" => read_image(path, &ReadOptions::as_pillow()).map(|image| vec![image]),
        "frames" => read_clip(path, &ReadOptions::default(), usize::MAX).map(Clip::into_frames),
        _ => read_image(path, &ReadOptions::default()).map(|image| vec![image]),
    }
}

fn to_ppm(image: &Image) -> Vec<u8> {
    let head = format!("P6 {} {} 255\n", image.width(), image.height());
    [head.as_bytes(), image.rgb()].concat()
}
