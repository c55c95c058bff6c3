/**
 * What does not work in a data directory right now: the last failure of each queue and of the metadata. One success says
 * nothing about the others.
 */
/** What is said about a failure. */
interface Failure {
  readonly message: string
}

export class StorageHealth {
  private readonly failures = new Map<string, Failure>()

  /** Notes a failure, or with `undefined` that `what` works, or does not exist any more. */
  note(what: string, error: Failure | undefined): void {
    if (error === undefined) this.failures.delete(what)
    else this.failures.set(what, error)
  }

  /** The failure that began first, and how many more there are; `undefined` while everything works. */
  get summary(): string | undefined {
    for (const { message } of this.failures.values()) {
      const more = this.failures.size - 1
      return more === 0 ? message : `${message} (and ${more} more)`
    }
    return undefined
  }
}
