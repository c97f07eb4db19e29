// Names come from keys, and keys are bytes that anybody may have written.

// Signs that can't be seen but change how others are read: directions of writing, and what takes no room.
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

// The joiner stays where it joins pictures. (Not looked for behind it by the expression above: WebKitGTK 2.50 finds no
// picture there.)
const PICTURE_AT_THE_END = /\p{Extended_Pictographic}(?:\ufe0f|[\u{1f3fb}-\u{1f3ff}])*$/u;

/** A name as it is shown: what would hide in it, or turn it round, stands there as its number. */
export function visible(name: string): string {
  return name.replace(HIDDEN, (sign, at: number) => {
    if (sign === '\u200d' && PICTURE_AT_THE_END.test(name.slice(0, at))) return sign;
    if (sign === '\n') return '\\n';
    if (sign === '\r') return '\\r';
    if (sign === '\t') return '\\t';
    return `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
