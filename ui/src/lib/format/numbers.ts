// Numbers as people read them. The core speaks base units (seconds, bytes, ratios from 0 to 1, per second);
// only here do they become "88.2 %", "3.9 ms", "212 MB" and "1.2 k/s".
import type { Unit } from '../bindings/Unit';

/** A figure and its unit, apart, so that the unit can be set smaller. */
export interface Figure {
  text: string;
  unit: string;
}

/** What stands where no figure is. */
export const NO_FIGURE = '–';

const NBSP = '\u00a0';

/**
 * A text that stands in one line and changes every second, without places to break it. WebKit remembers where each text
 * of three words may be broken, and forgets it only after ten seconds without new ones: 10 MB an hour at ten a second.
 */
export function unbroken(text: string): string {
  return text.replaceAll(' ', NBSP);
}

/** Three significant digits, but never an exponent and never a decimal that says nothing. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.01) return value < 0 ? '> -0.01' : '< 0.01';
  if (size < 10) return trim(value.toFixed(size < 1 ? 2 : 1));
  return value.toFixed(0);
}

/** Drops a trailing ".0", as in "4.0", which claims a precision that whole numbers don't have. */
function trim(text: string): string {
  return text.replace(/\.0+$/, '');
}

const THOUSANDS = ['', 'k', 'M', 'G', 'T'];

function scaled(value: number, base: number, names: string[], whole: (value: number) => string): Figure {
  let step = 0;
  let rest = value;
  // 999.5 shows as 1000: it belongs to the next unit already.
  while (Math.abs(rest) >= base - 0.5 && step < names.length - 1) {
    rest /= base;
    step += 1;
  }
  const name = names[step] ?? '';
  if (step === 0) return { text: whole(rest), unit: name };
  const size = Math.abs(rest);
  const digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return { text: rest.toFixed(digits), unit: name };
}

/**
 * A share from 0 to 1 as per cent with one decimal. It never rounds up to 100 % what is less, nor down to 0 %
 * what is more.
 */
export function ratio(value: number): Figure {
  const percent = value * 100;
  if (percent > 0 && percent < 0.05)
    return { text: percent < 0.005 ? '< 0.01' : percent.toFixed(2), unit: '%' };
  if (percent < 100 && percent >= 99.95) {
    return { text: percent >= 99.995 ? '> 99.99' : percent.toFixed(2), unit: '%' };
  }
  return { text: percent === 0 ? '0' : percent === 100 ? '100' : percent.toFixed(1), unit: '%' };
}

/** A count: up to 9,999 in full, then in thousands and millions. */
export function count(value: number): Figure {
  if (Math.abs(value) < 9_999.5) return { text: grouped(value), unit: '' };
  return scaled(value, 1000, THOUSANDS, short);
}

/** Events a second: "0.25 /s", "318 /s", "1.20 k/s". */
export function perSecond(value: number): Figure {
  const { text, unit } = scaled(value, 1000, THOUSANDS, short);
  return { text, unit: `${unit}/s` };
}

/**
 * Bytes by powers of 1024 under the names that Redis itself uses for them (`maxmemory 8gb` is 8 × 1024³):
 * what was configured as 8gb reads "8.00 GB".
 */
export function bytes(value: number): Figure {
  return scaled(value, 1024, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], (whole) => whole.toFixed(0));
}

/** A duration of execution or travel: "85 µs", "3.9 ms", "1.2 s". */
export function latency(seconds: number): Figure {
  const size = Math.abs(seconds);
  if (size === 0) return { text: '0', unit: 'ms' };
  if (size < 0.0009995) return { text: (seconds * 1e6).toFixed(size < 9.95e-6 ? 1 : 0), unit: 'µs' };
  if (size < 0.9995)
    return { text: (seconds * 1e3).toFixed(size < 0.00995 ? 2 : size < 0.0995 ? 1 : 0), unit: 'ms' };
  return { text: seconds.toFixed(size < 9.95 ? 2 : 1), unit: 's' };
}

// Made once: `toLocaleString` makes one for every number, and a table has dozens of numbers a second.
const SMALL = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });
const LARGE = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** A number with thousands separators and no unit. */
export function grouped(value: number): string {
  // Nothing is not less than nothing: −0 + 0 is 0.
  return (Math.abs(value) < 100 ? SMALL : LARGE).format(value + 0);
}

/** A figure of any reading by its unit. */
export function figure(unit: Unit, value: number): Figure {
  switch (unit) {
    case 'ratio':
      return ratio(value);
    case 'per_second':
      return perSecond(value);
    case 'seconds':
      return latency(value);
    case 'bytes':
      return bytes(value);
    case 'count':
      return count(value);
  }
}

/** A figure as one text; nothing known is a dash. */
export function written(figure: Figure): string {
  return figure.unit === '' ? figure.text : `${figure.text}${NBSP}${figure.unit}`;
}

/** A target share, without a decimal that says nothing: "95 %", "99.5 %". */
export function goal(value: number): string {
  return written(ratio(value)).replace('.0', '');
}

/** A share in whole per cent, for parts of a whole: "84 %", "< 1 %". */
export function part(share: number): string {
  return `${share > 0 && share < 0.005 ? '< 1' : (share * 100).toFixed(0)}${NBSP}%`;
}

/** A value of this unit as one text; nothing known is a dash. */
export function show(unit: Unit, value: number | null | undefined): string {
  return value == null ? NO_FIGURE : written(figure(unit, value));
}
