// Tooltips: one element for the whole page, shown on hover and on focus, for what has no room on the screen.
// Listeners stand on the document, not on each element: a table has hundreds of cells that come and go.
import type { Attachment } from 'svelte/attachments';

const DELAY_MS = 250;
const GAP = 6;
const EDGE = 8;

const texts = new WeakMap<Element, string>();
let bubble: HTMLDivElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let owner: Element | undefined;

/** Explains an element. Without text it explains nothing. */
export function tip(text: string | null | undefined): Attachment<Element> {
  return (element) => {
    if (!text) return;
    texts.set(element, text);
    if (owner === element) show(element); // it changed while it is read
    return () => {
      texts.delete(element);
      // The text may change under the pointer: only an element that is gone takes its tooltip along.
      queueMicrotask(() => {
        if (owner === element && !texts.has(element)) hide();
      });
    };
  };
}

/** Starts listening; returns how to stop. */
export function startTips(): () => void {
  const stop = new AbortController();
  const on = (type: string, take: (event: Event) => void) =>
    document.addEventListener(type, take, { signal: stop.signal, passive: true });
  on('pointerover', (event) => {
    const over = explained(event.target);
    if (over === owner) return;
    hide();
    if (over) timer = setTimeout(() => show(over), DELAY_MS);
  });
  on('focusin', (event) => {
    const over = explained(event.target);
    if (over && over === event.target && over.matches(':focus-visible')) show(over);
  });
  on('focusout', hide);
  on('pointerdown', hide);
  on('keydown', (event) => {
    if ((event as KeyboardEvent).key === 'Escape') hide();
  });
  document.documentElement.addEventListener('pointerleave', hide, { signal: stop.signal });
  return () => {
    stop.abort();
    hide();
  };
}

/** The nearest element around the target that has an explanation. */
function explained(target: EventTarget | null): Element | undefined {
  let element = target instanceof Element ? target : null;
  while (element && !texts.has(element)) element = element.parentElement;
  return element ?? undefined;
}

function show(over: Element): void {
  const text = texts.get(over);
  if (text === undefined || !over.isConnected) return;
  if (!bubble) {
    bubble = document.createElement('div');
    bubble.className = 'tip';
    bubble.id = 'tip';
    bubble.setAttribute('role', 'tooltip');
  }
  // Inside an open dialog, which would cover everything outside of it.
  (over.closest('dialog') ?? document.body).append(bubble);
  bubble.textContent = text;
  bubble.hidden = false;
  if (owner !== over) owner?.removeAttribute('aria-describedby');
  owner = over;
  over.setAttribute('aria-describedby', bubble.id);
  const place = over.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = bubble;
  const below = place.bottom + GAP + height <= innerHeight;
  bubble.style.left = `${Math.max(EDGE, Math.min(place.left, innerWidth - width - EDGE))}px`;
  bubble.style.top = `${below ? place.bottom + GAP : Math.max(EDGE, place.top - GAP - height)}px`;
}

function hide(): void {
  clearTimeout(timer);
  if (bubble) bubble.hidden = true;
  owner?.removeAttribute('aria-describedby');
  owner = undefined;
}
