//! The real window, driven as a user would.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use fantoccini::actions::Actions;
use fantoccini::key::Key;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};
use serde_json::Value;
use tempfile::TempDir;

use crate::driver::Driver;
use crate::programs;
use crate::waiting::{PATIENCE, wait_for};

/// No answer of the driver takes longer, or the window hangs.
async fn answered<T, E>(what: &str, asking: impl Future<Output = Result<T, E>>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    let answer = answer
        .with_context(|| format!("the window did not answer within {} s: {what}", PATIENCE.as_secs()))?;
    answer.with_context(|| what.to_owned())
}

/// How a window is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the desktop asks for dark windows.
    pub dark: bool,
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// Environment of the program, on top of the harness's own.
    pub environment: Vec<(String, String)>,
    /// What the program is started with.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { dark: true, size: (1440, 900), environment: Vec::new(), arguments: Vec::new() }
    }
}

/// An open window with a state directory of its own. Dropping it ends the program.
#[derive(Debug)]
pub struct Window {
    client: Client,
    driver: Driver,
    state: TempDir,
}

/// What the desktop program is started with to be driven.
#[must_use]
pub fn environment(state: &Path, dark: bool) -> HashMap<String, String> {
    let mut environment: HashMap<String, String> = [
        ("TAURI_WEBVIEW_AUTOMATION", "true"),
        ("CACHESCOPE_LOG", "info"),
        // No accessibility bus is here, and looking for it takes seconds.
        ("NO_AT_BRIDGE", "1"),
        // Painting without a graphics card is several times faster this way; users are never given this.
        ("WEBKIT_DISABLE_COMPOSITING_MODE", "1"),
        ("GTK_THEME", if dark { "Adwaita:dark" } else { "Adwaita" }),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    environment.insert("CACHESCOPE_STATE_DIR".to_owned(), state.display().to_string());
    environment
}

impl Window {
    /// Opens the window as a newcomer sees it: nothing is known yet.
    ///
    /// # Errors
    /// When there is no display, or the page does not come up.
    pub async fn open(options: Options) -> Result<Self> {
        Self::open_again(tempfile::tempdir()?, options).await
    }

    /// Opens the window on what an earlier one left in `state`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_again(state: TempDir, options: Options) -> Result<Self> {
        let (width, height) = options.size;
        let window = Self::open_as_left(state, options).await?;
        window.resize(width, height).await?;
        Ok(window)
    }

    /// The same, in the size that the program gives it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_as_left(state: TempDir, options: Options) -> Result<Self> {
        let mut environment = environment(state.path(), options.dark);
        environment.extend(options.environment);

        let driver = Driver::start(&environment)?;
        let client = driver.open(&programs::desktop()?, &options.arguments).await?;
        let window = Self { client, driver, state };
        window.wait_for("body[data-ready='true']").await?;
        Ok(window)
    }

    /// Starts the program once more on the same state, with these arguments, waits until it has ended, and says
    /// whether it ended well.
    ///
    /// # Errors
    /// When it stays, as a window of its own would.
    pub async fn start_another(&self, arguments: &[&str]) -> Result<bool> {
        let mut command = Command::new(programs::desktop()?);
        command.envs(environment(self.state.path(), true)).env_remove("TAURI_WEBVIEW_AUTOMATION");
        let mut other = command.args(arguments).spawn()?;
        let ended = wait_for("the second program ends", async || Ok(other.try_wait()?)).await;
        if ended.is_err() {
            other.kill()?;
            other.wait()?;
        }
        Ok(ended?.success())
    }

    /// The windows that are open, as the driver calls them, in no order.
    ///
    /// # Errors
    /// When the program is gone.
    pub async fn handles(&self) -> Result<Vec<WindowHandle>> {
        answered("listing the windows", self.client.windows()).await
    }

    /// Looks at another window from now on.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn look_at(&self, handle: &WindowHandle) -> Result<()> {
        answered("looking at another window", self.client.switch_to_window(handle.clone())).await
    }

    /// Closes the window that is looked at, as a click on its cross does; another one must be looked at next.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn close_this(&self) -> Result<()> {
        answered("closing the window", self.client.close_window()).await
    }

    /// Presses keys on whatever has the focus; `Key`s are characters.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn press(&self, keys: &str) -> Result<()> {
        let element = answered("finding the focus", self.client.active_element()).await?;
        answered("pressing keys", element.send_keys(keys)).await
    }

    /// Does what the driver calls actions.
    ///
    /// # Errors
    /// When the window is gone.
    pub(crate) async fn perform(&self, actions: impl Into<Actions>) -> Result<()> {
        answered("pressing keys", self.client.perform_actions(actions)).await
    }

    /// Where the program keeps its state.
    #[must_use]
    pub fn state_directory(&self) -> &Path {
        self.state.path()
    }

    /// Waits until `selector` finds something visible.
    ///
    /// # Errors
    /// When it never does; a picture of the window is then among the artifacts.
    pub async fn wait_for(&self, selector: &str) -> Result<()> {
        self.until(&format!("{selector} is visible"), async || {
            Ok(self.visible(selector).await?.then_some(()))
        })
        .await
    }

    /// Waits until the text of what `selector` finds contains `words`, and gives the text.
    ///
    /// # Errors
    /// When it never does.
    pub async fn wait_for_text(&self, selector: &str, words: &str) -> Result<String> {
        self.until(&format!("{selector} says {words:?}"), async || {
            Ok(self.text(selector).await?.filter(|text| text.contains(words)))
        })
        .await
    }

    /// Waits until `ask` gives an answer.
    ///
    /// # Errors
    /// When it never does: what was awaited, what the page says, and a picture among the artifacts.
    pub async fn until<T>(&self, what: &str, ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
        let error = match wait_for(what, ask).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let picture = self.screenshot("failed").await.map(|path| path.display().to_string());
        let text = self.text("body").await.ok().flatten().unwrap_or_default();
        bail!("{error:#}; picture: {picture:?}; the page says: {text:?}")
    }

    /// Whether `selector` finds something that is visible.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn visible(&self, selector: &str) -> Result<bool> {
        let script = "const found = document.querySelector(arguments[0]); \
                      return found !== null && (found === document.body || found.getClientRects().length > 0)";
        Ok(self.ask(script, &[selector]).await? == Value::Bool(true))
    }

    /// The text of what `selector` finds first; `None` where it finds nothing.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn text(&self, selector: &str) -> Result<Option<String>> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        Ok(self.ask(script, &[selector]).await?.as_str().map(str::to_owned))
    }

    /// An attribute of what `selector` finds first; `None` where it finds nothing or has none.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn attribute(&self, selector: &str, name: &str) -> Result<Option<String>> {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null";
        Ok(self.ask(script, &[selector, name]).await?.as_str().map(str::to_owned))
    }

    /// The number in `data-value` of what `selector` finds first; `None` where it shows none.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn value(&self, selector: &str) -> Result<Option<f64>> {
        Ok(self.attribute(selector, "data-value").await?.and_then(|text| text.parse().ok()))
    }

    /// Runs a script in the page; strings go in as `arguments`, JSON comes out.
    ///
    /// # Errors
    /// When the window is gone or the script throws.
    pub async fn ask(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        let arguments = arguments.iter().map(|text| Value::from(*text)).collect();
        answered("running a script", self.client.execute(script, arguments)).await
    }

    /// Clicks what `selector` finds first, as soon as it is there.
    ///
    /// # Errors
    /// When it never is.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.wait_for(selector).await?;
        let element = answered(selector, self.client.find(Locator::Css(selector))).await?;
        answered(&format!("clicking {selector}"), element.click()).await
    }

    /// Types `text` into what `selector` finds first, in place of what stands there. Line breaks are typed with
    /// the Enter key.
    ///
    /// # Errors
    /// When it is not there or takes no text.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        self.wait_for(selector).await?;
        let element = answered(selector, self.client.find(Locator::Css(selector))).await?;
        let keys = text.replace('\n', &Key::Enter.to_string());
        answered(&format!("clearing {selector}"), element.clear()).await?;
        answered(&format!("typing into {selector}"), element.send_keys(&keys)).await
    }

    /// Gives a file to the field for one that `selector` finds first, as the system's chooser would.
    ///
    /// # Errors
    /// When there is no such field.
    pub async fn give_file(&self, selector: &str, file: &Path) -> Result<()> {
        self.wait_for(selector).await?;
        let element = answered(selector, self.client.find(Locator::Css(selector))).await?;
        answered(&format!("giving a file to {selector}"), element.send_keys(&file.display().to_string()))
            .await
    }

    /// Presses a key on what `selector` finds first, as soon as it is there.
    ///
    /// # Errors
    /// When it never is, or takes no keys.
    pub async fn press_on(&self, selector: &str, key: Key) -> Result<()> {
        self.wait_for(selector).await?;
        let element = answered(selector, self.client.find(Locator::Css(selector))).await?;
        answered(&format!("pressing a key on {selector}"), element.send_keys(&key.to_string())).await
    }

    /// Chooses the option with this value in the list that `selector` finds first, once it is there.
    ///
    /// # Errors
    /// When there is no such list or option.
    pub async fn choose(&self, selector: &str, value: &str) -> Result<()> {
        self.wait_for(selector).await?;
        self.until(&format!("{selector} offers {value:?}"), async || {
            let script = "return [...document.querySelector(arguments[0]).options].some((it) => it.value === arguments[1])";
            Ok((self.ask(script, &[selector, value]).await? == Value::Bool(true)).then_some(()))
        })
        .await?;
        let list = answered(selector, self.client.find(Locator::Css(selector))).await?;
        answered(&format!("choosing {value:?} in {selector}"), list.select_by_value(value)).await
    }

    /// Keeps a picture of the window among the artifacts.
    ///
    /// # Errors
    /// When the window is gone or the folder can't be written.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = programs::artifacts()?.join(format!("{name}.png"));
        // A picture is taken at the next painting, and a page at rest paints nothing: a pixel keeps it awake.
        self.ask(
            "const pixel = document.createElement('div'); \
             pixel.style.cssText = 'position: fixed; left: 0; top: 0; width: 1px; height: 1px'; \
             let odd = false; \
             window.repainting = [pixel, setInterval(() => { \
                 odd = !odd; pixel.style.background = odd ? 'rgb(0 0 0 / 1%)' : 'rgb(0 0 0 / 2%)'; \
             }, 50)]; \
             document.body.append(pixel)",
            &[],
        )
        .await?;
        let picture = answered("taking a picture", self.client.screenshot()).await;
        self.ask("window.repainting[0].remove(); clearInterval(window.repainting[1])", &[]).await?;
        std::fs::write(&path, picture?)?;
        Ok(path)
    }

    /// Sets the size of the window in CSS pixels.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        answered("setting the size", self.client.set_window_size(width, height)).await
    }

    /// Asks the program to end, as a session's end does (SIGTERM), waits until it has, and gives what it kept.
    ///
    /// # Errors
    /// When it stays.
    pub async fn terminate(self) -> Result<TempDir> {
        let id = self.driver.program_id().context("the program is gone already")?;
        Command::new("kill").arg("-TERM").arg(id.to_string()).status()?;
        wait_for("the program ends after SIGTERM", async || {
            Ok(self.driver.program_id().is_none().then_some(()))
        })
        .await?;
        Ok(self.state)
    }

    /// The process id of the program; `None` when it is gone.
    #[must_use]
    pub fn program_id(&self) -> Option<u32> {
        self.driver.program_id()
    }

    /// Whether the program still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.driver.program_id().is_some()
    }
}
