const PROGRAMS = /^(sudo|cachescope|redis-cli|systemctl|docker|kubectl|apt|apt-get|promtool)\s/;

/** Whether a remedy is advice to read rather than a line to run: it is set as text then. */
export function isAdvice(text: string): boolean {
  if (/^\p{Lu}\p{Ll}.*[.!?]$/su.test(text)) return true;
  if (!/^\p{Ll}/u.test(text) || PROGRAMS.test(text)) return false;
  const words = text.split(/\s+/);
  return (
    words.length >= 4 &&
    words.filter((word) => /^[\p{Ll}’']+[,;:]?$/u.test(word)).length >= words.length * 0.7
  );
}
