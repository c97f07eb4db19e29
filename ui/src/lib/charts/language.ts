/**
 * Makes sure that `navigator.language` is a language tag. Under `LANG=C.UTF-8` WebKitGTK reports "c", which is
 * none, and uPlot passes it to `Intl.NumberFormat` as it loads, which throws: no chart would ever show.
 */
export function normaliseLanguage(navigator: { readonly language: string }): void {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en-GB', configurable: true });
  }
}
