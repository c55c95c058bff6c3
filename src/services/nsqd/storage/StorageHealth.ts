/**
 * The current failures in a data directory: the last one of each queue and of the metadata, independent of each
 * other.
 */
/** The part of an error that is reported. */
interface Failure {
  readonly message: string
}

export class StorageHealth {
  private readonly failures = new Map<string, Failure>()

  /** Records a failure; `undefined` if `what` works again or no longer exists. */
  note(what: string, error: Failure | undefined): void {
    if (error === undefined) this.failures.delete(what)
    else this.failures.set(what, error)
  }

  /** Whether `what` fails. */
  isFailing(what: string): boolean {
    return this.failures.has(what)
  }

  /** The oldest failure and the number of others; `undefined` while everything works. */
  get summary(): string | undefined {
    for (const { message } of this.failures.values()) {
      const more = this.failures.size - 1
      return more === 0 ? message : `${message} (and ${more} more)`
    }
    return undefined
  }
}
