//! The one door through which every shell asks.

use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::source::SourceId;

use super::App;
use crate::custody::Guarded;
use crate::wire::{Nothing, Registry, Reply, Request, WireError};
use crate::{deployments, detail, doctor, document, export, finding, history, rows, strategies};

impl App {
    /// Answers a request.
    ///
    /// # Errors
    /// With a code, a sentence and a remedy, as [`WireError`] has them.
    pub async fn handle(&self, request: Request) -> Result<Reply, WireError> {
        if !matches!(request, Request::AppInfo {} | Request::Registry {} | Request::DemoStatus {}) {
            self.begun().await;
        }
        Ok(match request {
            Request::AppInfo {} => Reply::AppInfo(self.info()),
            Request::AskKeychain {} => Reply::AskKeychain(Box::pin(self.ask_keychain()).await),
            Request::Registry {} => Reply::Registry(Registry {
                readings: ReadingKind::ALL.to_vec(),
                sources: SourceId::ALL.to_vec(),
            }),
            Request::LinkTo { place } => Reply::LinkTo(self.link_to(place)?),
            Request::OpenWindow { place } => {
                self.inner.host.open_window(place).await?;
                Reply::OpenWindow(Nothing {})
            }
            Request::WindowSettings {} => Reply::WindowSettings(self.window_settings().await),
            Request::StayInTray { stay } => Reply::StayInTray(self.set_stay_in_tray(stay).await?),
            Request::Deployments {} => Reply::Deployments(self.deployment_views()),
            Request::TestConnection { draft, trust } => {
                Reply::TestConnection(self.test_connection(&draft, trust.as_deref()).await?)
            }
            Request::SaveDeployment { draft } => Reply::SaveDeployment(self.save(draft).await?),
            Request::RemoveDeployment { deployment } => {
                self.remove(&deployment).await?;
                Reply::RemoveDeployment(Nothing {})
            }
            Request::ExportDeployments {} => Reply::ExportDeployments(self.export_deployments()),
            Request::ImportDeployments { contents, keep } => {
                Reply::ImportDeployments(Box::pin(self.import_deployments(&contents, keep)).await?)
            }
            Request::FindEndpoints { draft } => {
                let tunnel = deployments::http_tunnel(&draft, &self.inner.secrets).await?;
                Reply::FindEndpoints(finding::endpoints(&draft.redis_url, tunnel).await?)
            }
            Request::SetSource { deployment, source, on, approval } => {
                self.set_source(&deployment, source, on, approval.as_deref()).await?;
                Reply::SetSource(Nothing {})
            }
            Request::PreviewSource { deployment, source } => {
                Reply::PreviewSource(self.preview(&deployment, source).await?)
            }
            Request::PreviewEvents { deployment } => {
                Reply::PreviewEvents(self.preview(&deployment, SourceId::Events).await?)
            }
            Request::EnableEvents { deployment, approval } => {
                let session = self.session(&deployment)?;
                let approved = self.redeem(&approval, &deployment, Guarded::Events)?;
                session.enable_events(approved).await?;
                Reply::EnableEvents(Nothing {})
            }
            Request::RestoreEvents { deployment } => {
                Reply::RestoreEvents(self.session(&deployment)?.restore_events().await?)
            }
            Request::SlowCommands { deployment, namespace } => {
                Reply::SlowCommands(self.session(&deployment)?.slow_commands(namespace.as_deref()))
            }
            Request::Doctor { deployment } => {
                let session = self.session(&deployment)?;
                Reply::Doctor(doctor::run(&session).await?)
            }
            Request::Strategies {} => Reply::Strategies(strategies::built_in()),
            Request::CheckStrategy { name_or_path } => {
                Reply::CheckStrategy(strategies::check(name_or_path).await)
            }
            Request::PreviewAdoption { deployment, namespaces } => {
                Reply::PreviewAdoption(self.proposal(&deployment, namespaces).await?.view())
            }
            Request::Adopt { deployment, namespaces } => {
                Reply::Adopt(self.adopt(&deployment, namespaces).await?)
            }
            Request::Rows { query } => {
                let session = self.session(&query.deployment)?;
                let mut page = rows::page(&session.snapshot(query.window), &query)?;
                self.inner.alerts.add_to_rows(&session, &mut page);
                if query.sparks {
                    history::add_sparks(&session, &mut page);
                }
                Reply::Rows(page)
            }
            Request::NamespaceDetail { deployment, namespace, window } => {
                let session = self.session(&deployment)?;
                Reply::NamespaceDetail(detail::namespace(&session, &namespace, window)?)
            }
            Request::Tenants { deployment, namespace, window } => {
                Reply::Tenants(self.session(&deployment)?.tenants(&namespace, window))
            }
            Request::Layers { deployment, window } => {
                Reply::Layers(self.session(&deployment)?.snapshot(window).layers.clone())
            }
            Request::History { deployment, namespace, kinds, seconds, points } => {
                let session = self.session(&deployment)?;
                Reply::History(history::series(&session, namespace.as_deref(), &kinds, seconds, points))
            }
            Request::CauseHistory { deployment, namespace, seconds, points } => {
                let session = self.session(&deployment)?;
                Reply::CauseHistory(history::causes(&session, namespace.as_deref(), seconds, points))
            }
            Request::Misses { deployment, namespace, window } => {
                let session = self.session(&deployment)?;
                Reply::Misses(detail::misses(&session, namespace.as_deref(), window)?)
            }
            Request::StrategyDocument { deployment } => {
                Reply::StrategyDocument(document::of(self.session(&deployment)?.strategy()))
            }
            Request::Findings { deployment } => {
                let session = self.session(&deployment)?;
                Reply::Findings(session.snapshot(Default::default()).findings.clone())
            }
            Request::Export { deployment, window, format } => {
                let session = self.session(&deployment)?;
                Reply::Export(export::table(&session.snapshot(window), format)?)
            }
            action @ (Request::Playbooks { .. }
            | Request::WarmPlans { .. }
            | Request::SetEndpointSecret { .. }
            | Request::ArmSchedule { .. }
            | Request::DisarmSchedule { .. }
            | Request::PreviewAction { .. }
            | Request::PreviewProgress { .. }
            | Request::CancelPreview { .. }
            | Request::Arm { .. }
            | Request::Disarm { .. }
            | Request::ArmedUntil { .. }
            | Request::RunAction { .. }
            | Request::Run { .. }
            | Request::Runs { .. }
            | Request::PauseRun { .. }
            | Request::ResumeRun { .. }
            | Request::CancelRun { .. }
            | Request::UndoRun { .. }
            | Request::UndoProgress { .. }
            | Request::Endpoints { .. }
            | Request::SetEndpoints { .. }
            | Request::Audit { .. }
            | Request::VerifyAudit {}
            | Request::ExportAudit { .. }
            | Request::UndoSettings {}
            | Request::SetUndoSettings { .. }) => Box::pin(self.handle_action(action)).await?,
            Request::Alerts { deployment, namespace, at_most } => {
                Reply::Alerts(self.alerts_page(deployment.as_ref(), namespace.as_deref(), at_most)?)
            }
            Request::AlertRules { deployment } => Reply::AlertRules(self.rules_page(&deployment)?),
            Request::ForeignAlerts { deployment } => Reply::ForeignAlerts(self.foreign_alerts(&deployment)?),
            Request::AcknowledgeAlert { alert, comment } => {
                Reply::AcknowledgeAlert(self.acknowledge(alert, comment).await?)
            }
            Request::UnacknowledgeAlert { alert } => {
                Reply::UnacknowledgeAlert(self.unacknowledge(alert).await?)
            }
            Request::Silences {} => Reply::Silences(self.silences()),
            Request::SaveSilence { draft } => Reply::SaveSilence(self.save_silence(draft).await?),
            Request::EndSilence { silence } => Reply::EndSilence(self.end_silence(silence).await?),
            Request::Telling {} => Reply::Telling(self.telling()),
            Request::SetDesktopTelling { desktop } => {
                Reply::SetDesktopTelling(self.set_desktop_telling(desktop).await?)
            }
            Request::SetQuietHours { quiet_hours } => {
                Reply::SetQuietHours(self.set_quiet_hours(quiet_hours).await?)
            }
            Request::SaveChannel { draft } => Reply::SaveChannel(self.save_channel(draft).await?),
            Request::RemoveChannel { channel } => Reply::RemoveChannel(self.remove_channel(&channel).await?),
            Request::TestChannel { channel } => Reply::TestChannel(self.test_channel(&channel).await?),
            Request::Timeline { deployment, from, to } => {
                Reply::Timeline(self.timeline(deployment, from, to).await?)
            }
            Request::AddMark { draft } => Reply::AddMark(self.add_mark(draft).await?),
            Request::RemoveMark { mark } => Reply::RemoveMark(self.remove_mark(mark).await?),
            Request::DemoStatus {} => Reply::DemoStatus(self.demo_status()),
            Request::StartDemo {} => Reply::StartDemo(self.start_demo().await?),
            Request::StopDemo {} => {
                self.stop_demo().await;
                Reply::StopDemo(Nothing {})
            }
        })
    }
}
