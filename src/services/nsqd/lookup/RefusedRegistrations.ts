/**
 * The registrations that one nsqlookupd has refused, for example because of a limit, and when to retry each. Plain
 * state; it is kept across connections.
 */
import type { LookupCommand } from "../../../protocol/lookup/LookupCommand.ts"

/** A REGISTER command. */
export type Register = Extract<LookupCommand, { readonly _tag: "REGISTER" }>

/** Delay before a refused registration is retried. */
const retryMillis = 60_000

const keyOf = ({ channel, topic }: Register): string => `${topic} ${channel ?? ""}`

interface Refused {
  readonly command: Register
  readonly at: number
}

export class RefusedRegistrations {
  private readonly refused = new Map<string, Refused>()

  /** Records a refusal at the monotonic time `now` in ms; returns whether it is the first for this registration. */
  add(command: Register, now: number): boolean {
    const key = keyOf(command)
    const isNew = !this.refused.has(key)
    this.refused.set(key, { command, at: now })
    return isNew
  }

  /** Removes what a successful command has registered or unregistered. */
  settle(command: LookupCommand): void {
    if (this.refused.size === 0) return
    if (command._tag === "REGISTER") this.refused.delete(keyOf(command))
    if (command._tag !== "UNREGISTER") return
    for (const [key, { command: { channel, topic } }] of this.refused) {
      if (topic === command.topic && (command.channel === undefined || channel === command.channel)) {
        this.refused.delete(key)
      }
    }
  }

  /** Returns the registrations to retry at the monotonic time `now` in ms. */
  due(now: number): ReadonlyArray<Register> {
    const found: Array<Register> = []
    for (const { at, command } of this.refused.values()) if (now - at >= retryMillis) found.push(command)
    return found
  }

  /** Returns `registrations` without the refused ones, and forgets refused ones that are no longer among them. */
  withoutWaiting(registrations: ReadonlyArray<Register>): ReadonlyArray<Register> {
    if (this.refused.size === 0) return registrations
    const present = new Set(registrations.map(keyOf))
    for (const key of this.refused.keys()) if (!present.has(key)) this.refused.delete(key)
    return registrations.filter((command) => !this.refused.has(keyOf(command)))
  }
}
