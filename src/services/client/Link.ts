/** A connection of a Producer with the publishes that its server has not replied to. */
import { Line } from "./Line.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import type { Publishing } from "./Publishing.ts"

/** FNV-1a, 32 bits. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value
}

/** Spreads all bits of a value over the result. */
const mix = (value: number): number => {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

export class Link {
  readonly connection: NsqdConnection
  /** Publishes that were sent and have no reply yet, oldest first, including settled ones. */
  readonly unconfirmed = new Line<Publishing>()
  /** Time without any reply to what it was sent, in ms. */
  silence = 0
  /** Whether a reply came since the last tick. */
  hasReplied = false
  /** Records that the server replies to publishes. */
  readonly served: () => void
  /** Ends the connection for this reason. */
  readonly drop: (reason: string) => void
  private readonly seed: number

  constructor(connection: NsqdConnection, drop: (reason: string) => void, served: () => void = () => {}) {
    this.connection = connection
    this.drop = drop
    this.served = served
    this.seed = hash(connection.address)
  }

  /** Rank of this server for a key: the highest one is chosen, so that only the keys of a server that is lost move. */
  rankFor(key: string): number {
    return mix(hash(key) ^ this.seed)
  }
}
