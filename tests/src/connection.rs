//! The connection form, filled in as a user would.

use anyhow::Result;

use crate::window::Window;

/// What is typed into the form; what is empty is left alone.
#[derive(Clone, Debug, Default)]
pub struct Form<'a> {
    /// Redis.
    pub redis_url: &'a str,
    /// Its password, where it does not stand in the address.
    pub redis_password: &'a str,
    /// Prometheus.
    pub prometheus_url: &'a str,
    /// Metrics pages, one a line.
    pub metrics_urls: &'a str,
    /// A built-in strategy.
    pub strategy: &'a str,
    /// What the deployment is called.
    pub name: &'a str,
}

impl Form<'_> {
    /// Goes from the first start's screen to the form and fills it in.
    ///
    /// # Errors
    /// When the page has no such screen or field.
    pub async fn fill_from_first_start(&self, window: &Window) -> Result<()> {
        window.fill("[data-testid='first-url']", self.redis_url).await?;
        window.click("[data-testid='first-connect']").await?;
        window.wait_for("[data-testid='connection-form']").await?;
        for (field, text) in [
            ("redis-password", self.redis_password),
            ("prometheus-url", self.prometheus_url),
            ("metrics-urls", self.metrics_urls),
            ("name", self.name),
        ] {
            if !text.is_empty() {
                window.fill(&format!("[data-testid='{field}']"), text).await?;
            }
        }
        if !self.strategy.is_empty() {
            window.choose("[data-testid='strategy']", self.strategy).await?;
        }
        Ok(())
    }

    /// Fills the form in and lets the window watch.
    ///
    /// # Errors
    /// When the page has no such screen or field.
    pub async fn connect(&self, window: &Window) -> Result<()> {
        self.fill_from_first_start(window).await?;
        window.click("[data-testid='save']").await
    }

    /// Fills the form in, tests it, and gives what the failed steps say: one sentence a step.
    ///
    /// # Errors
    /// When the test does not end, or the page has no such screen or field.
    pub async fn problems(&self, window: &Window) -> Result<Vec<String>> {
        self.fill_from_first_start(window).await?;
        window.click("[data-testid='test']").await?;
        window.wait_for("[data-testid='test-report']").await?;
        let script = r#"const failed = "[data-testid='test-step'][data-result='failed']";
                        return [...document.querySelectorAll(failed)]
                            .map((step) => step.querySelector('.detail')?.innerText ?? '')"#;
        let steps = window.ask(script, &[]).await?;
        let texts = steps.as_array().into_iter().flatten().filter_map(|step| step.as_str());
        Ok(texts.map(str::to_owned).collect())
    }
}
