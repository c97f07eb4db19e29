/** Wall-clock time in milliseconds, moving once a second, for ages. */
class Clock {
  now = $state(Date.now());

  /** Starts it; returns how to stop it. */
  start(): () => void {
    const timer = setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();
