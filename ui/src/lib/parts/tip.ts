// Tooltips: one element for the whole page, shown on hover and on focus, for what has no room on the screen.
import type { Attachment } from 'svelte/attachments';

const DELAY_MS = 250;
const GAP = 6;

let bubble: HTMLDivElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let owner: Element | undefined;

function show(over: HTMLElement, text: string): void {
  if (!bubble) {
    bubble = document.createElement('div');
    bubble.className = 'tip';
    bubble.id = 'tip';
    bubble.setAttribute('role', 'tooltip');
    document.body.append(bubble);
  }
  bubble.textContent = text;
  bubble.hidden = false;
  owner = over;
  over.setAttribute('aria-describedby', 'tip');
  const place = over.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = bubble;
  const below = place.bottom + GAP + height <= innerHeight;
  const left = Math.min(Math.max(8, place.left), innerWidth - width - 8);
  bubble.style.left = `${left}px`;
  bubble.style.top = `${below ? place.bottom + GAP : Math.max(8, place.top - GAP - height)}px`;
}

function hide(of?: Element): void {
  clearTimeout(timer);
  if (of && owner !== of) return;
  if (bubble) bubble.hidden = true;
  owner?.removeAttribute('aria-describedby');
  owner = undefined;
}

/** Explains an element. Without text it explains nothing. */
export function tip(text: string | null | undefined): Attachment<HTMLElement> {
  return (element) => {
    if (!text) return;
    if (owner === element && bubble) bubble.textContent = text; // it changed while it is read
    const enter = () => {
      clearTimeout(timer);
      timer = setTimeout(() => show(element, text), DELAY_MS);
    };
    const focus = () => {
      if (element.matches(':focus-visible')) show(element, text);
    };
    const leave = () => hide(element);
    const key = (event: KeyboardEvent) => {
      if (event.key === 'Escape') hide(element);
    };
    element.addEventListener('pointerenter', enter);
    element.addEventListener('pointerleave', leave);
    element.addEventListener('pointerdown', leave);
    element.addEventListener('focus', focus);
    element.addEventListener('blur', leave);
    element.addEventListener('keydown', key);
    return () => {
      element.removeEventListener('pointerenter', enter);
      element.removeEventListener('pointerleave', leave);
      element.removeEventListener('pointerdown', leave);
      element.removeEventListener('focus', focus);
      element.removeEventListener('blur', leave);
      element.removeEventListener('keydown', key);
      // The text may change under the pointer: only an element that is gone takes its tooltip along.
      setTimeout(() => {
        if (owner === element && !element.isConnected) hide(element);
      });
    };
  };
}
