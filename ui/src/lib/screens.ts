// What is loaded when it is first shown: each a file of its own in the build. The screen that is there at the start,
// the deployment with its table, is not among them.

export const actionsPage = () => import('./actions/ActionsPage.svelte');
export const alerts = () => import('./alerts/Alerts.svelte');
export const connectionForm = () => import('./connection/ConnectionForm.svelte');
export const firstStart = () => import('./start/FirstStart.svelte');
export const keysSheet = () => import('./shell/KeysSheet.svelte');
export const layers = () => import('./layers/Layers.svelte');
export const settings = () => import('./settings/Settings.svelte');
export const strategy = () => import('./strategy/Strategy.svelte');

export const actionSheet = () => import('./actions/ActionSheetView.svelte');
export const armDialog = () => import('./actions/ArmDialog.svelte');
export const acknowledgeDialog = () => import('./alerts/AcknowledgeDialog.svelte');
export const silenceDialog = () => import('./alerts/SilenceDialog.svelte');
export const markDialog = () => import('./timeline/MarkDialog.svelte');
export const timelineTable = () => import('./timeline/TimelineTable.svelte');
export const adoptDialog = () => import('./deployment/AdoptDialog.svelte');
export const priceDialog = () => import('./deployment/PriceDialog.svelte');
export const namespacePanel = () => import('./deployment/NamespacePanel.svelte');
