/**
 * Puts text on the clipboard; tells whether it worked. Text that is still on its way is handed over as a promise,
 * because a webview lets a page write only right after a click, and by the time an answer is here that is over.
 */
export async function copy(text: string | Promise<string>): Promise<boolean> {
  try {
    if (typeof text !== 'string' && 'ClipboardItem' in window) {
      const blob = text.then((settled) => new Blob([settled], { type: 'text/plain' }));
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
    } else {
      await navigator.clipboard.writeText(await text);
    }
    return true;
  } catch {
    return copyBySelection(await text);
  }
}

/** The old way, for webviews that refuse the clipboard interface. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  (document.querySelector('dialog[open]') ?? document.body).append(area); // behind a dialog nothing can be selected
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
