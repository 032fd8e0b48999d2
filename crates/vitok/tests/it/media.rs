//! Images: resizing as Pillow and PyTorch do it, and files good and bad.

mod animations;
mod damaged;
mod finding;
mod fixtures;
mod kinds;
mod made;
mod preprocess;
mod resizing;
