/**
 * The registrations that an nsqlookupd has refused, for example because there are too many, and when each is due to be tried
 * again. Plain state of one peer; it survives lost connections.
 */
import type { LookupCommand } from "../../../protocol/lookup/LookupCommand.ts"

export type Register = Extract<LookupCommand, { readonly _tag: "REGISTER" }>

/** Between two attempts to register the same topic or channel. */
const retryMillis = 60_000

const keyOf = ({ channel, topic }: Register): string => `${topic} ${channel ?? ""}`

interface Refused {
  readonly command: Register
  readonly at: number
}

export class RefusedRegistrations {
  private readonly refused = new Map<string, Refused>()

  /** A registration was refused at the monotonic time `now`; returns whether that is new. */
  add(command: Register, now: number): boolean {
    const key = keyOf(command)
    const isNew = !this.refused.has(key)
    this.refused.set(key, { command, at: now })
    return isNew
  }

  /** A command was carried out: what it registered or took away needs no other attempt. */
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

  /** Those that are due at the monotonic time `now`. */
  due(now: number): ReadonlyArray<Register> {
    const found: Array<Register> = []
    for (const { at, command } of this.refused.values()) if (now - at >= retryMillis) found.push(command)
    return found
  }

  /** The registrations of all that there is now, without those that wait; those of which nothing is left are dropped. */
  withoutWaiting(registrations: ReadonlyArray<Register>): ReadonlyArray<Register> {
    if (this.refused.size === 0) return registrations
    const present = new Set(registrations.map(keyOf))
    for (const key of this.refused.keys()) if (!present.has(key)) this.refused.delete(key)
    return registrations.filter((command) => !this.refused.has(keyOf(command)))
  }
}
