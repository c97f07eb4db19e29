// Names come from keys, and keys are bytes that anybody may have written.

// Signs that can't be seen but change how others are read: directions of writing, and what takes no room. The joiner
// stays where it joins emoji.
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|(?<!\p{Extended_Pictographic}\ufe0f?)\u200d/gu;

/** A name as it is shown: what would hide in it, or turn it round, stands there as its number. */
export function visible(name: string): string {
  return name.replace(HIDDEN, (sign) => {
    if (sign === '\n') return '\\n';
    if (sign === '\r') return '\\r';
    if (sign === '\t') return '\\t';
    return `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
