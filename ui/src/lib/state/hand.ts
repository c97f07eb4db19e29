/** A hand that has not moved for so long no longer holds anything in its place: it may be asleep. */
const RESTS_AFTER_MS = 20_000;

/** Whether somebody is about to click: things keep their place under a hand that moves, and only under that. */
export class Hand {
  #until = 0;

  /** It moved. */
  touch(now = Date.now()): void {
    this.#until = now + RESTS_AFTER_MS;
  }

  /** It went elsewhere. */
  leave(): void {
    this.#until = 0;
  }

  holds(now = Date.now()): boolean {
    return now < this.#until;
  }
}
