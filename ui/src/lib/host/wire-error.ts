import type { WireError } from '../bindings/WireError';

/** Whether something that was thrown is an error of the wire contract. */
export function isWireError(thrown: unknown): thrown is WireError {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    typeof (thrown as WireError).code === 'string' &&
    typeof (thrown as WireError).message === 'string' &&
    typeof (thrown as WireError).remedy === 'string'
  );
}

/** Anything thrown as a `WireError`: what is none is a defect of ours, told with its own words. */
export function asWireError(thrown: unknown): WireError {
  if (isWireError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'internal', message, remedy: '' };
}
