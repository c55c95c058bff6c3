/** A subscribed connection of a consumer: its RDY count and its messages in flight. */
import { encodePlain, type PlainCommand } from "../../protocol/client/CommandBytes.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"

/** A subscribed connection. */
export class Member {
  readonly connection: NsqdConnection
  /** The RDY count sent last. */
  ready = 0
  inFlight = 0
  /** Time of the last message or of the last RDY above 0, in monotonic ms. */
  activeAt = 0
  gone = false
  /** Whether the server has confirmed CLS: it sends no more messages. */
  closed = false

  constructor(connection: NsqdConnection) {
    this.connection = connection
  }

  get maxReady(): number {
    return this.gone ? 0 : this.connection.features.max_rdy_count
  }

  send(command: PlainCommand): void {
    if (!this.gone) this.connection.send(encodePlain(command))
  }
}
