/** A publish on its way: its command, and its places in the lists of `Outgoing`. */
import { ChainLink } from "./Chain.ts"
import type { ClientError } from "./ClientError.ts"
import type { Encodable } from "./CommandOutput.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"

/** A publish that waits for a server; a member of the queue. */
export class Waiting extends ChainLink<Waiting> {
  readonly publishing: Publishing

  constructor(publishing: Publishing) {
    super()
    this.publishing = publishing
  }
}

/** What is published: a command that is encoded when it is sent. */
export interface PublishCommand {
  readonly topic: string
  /** The command line. */
  readonly head: Buffer
  /** The body of PUB and DPUB, which follows the command line with its size, or the bodies of MPUB. */
  readonly body: Uint8Array | ReadonlyArray<Uint8Array>
  /** Bytes of the whole command. */
  readonly size: number
  /** Messages of the command. */
  readonly messages: number
  /** Publishes with the same key go to the same server. */
  readonly key: string | undefined
}

/** Writes a body after its size; returns the end. */
const putSized = (out: Buffer, at: number, body: Uint8Array): number => {
  out.writeInt32BE(body.length, at)
  out.set(body, at + 4)
  return at + 4 + body.length
}

const noBytes = Buffer.alloc(0)
const ignore = (): void => {}

/** A publish whose result is not known; a member of the list of all publishes in the order of their age. */
export class Publishing extends ChainLink<Publishing> implements Encodable {
  readonly topic: string
  readonly key: string | undefined
  readonly messages: number
  readonly size: number
  private head: Buffer
  private body: Uint8Array | ReadonlyArray<Uint8Array> | undefined
  /** Time at which it fails without a reply, in monotonic ms. */
  readonly deadline: number
  /** Its place in the queue while it waits for a server. */
  waiting: Waiting | undefined
  /** The server that must reply; an earlier one may still reply as well. */
  link: { readonly connection: NsqdConnection } | undefined
  /** Whether it was sent to any server. */
  sent = false
  /** Whether its result is known or no longer wanted; a server may still reply to it. */
  settled = false
  private complete: (failure: ClientError | undefined) => void

  constructor(command: PublishCommand, deadline: number, complete: (failure: ClientError | undefined) => void) {
    super()
    this.topic = command.topic
    this.key = command.key
    this.messages = command.messages
    this.head = command.head
    this.body = command.body
    this.size = command.size
    this.deadline = deadline
    this.complete = complete
  }

  encodeTo(out: Buffer, at: number): void {
    const { body, head } = this
    out.set(head, at)
    const bodyAt = at + head.length
    if (body instanceof Uint8Array) putSized(out, bodyAt, body)
    else if (body !== undefined) this.encodeBatch(out, bodyAt, body)
  }

  /** Writes the size of the batch, the number of messages and each message with its size. */
  private encodeBatch(out: Buffer, start: number, bodies: ReadonlyArray<Uint8Array>): void {
    out.writeInt32BE(this.size - this.head.length - 4, start)
    out.writeInt32BE(bodies.length, start + 4)
    let at = start + 8
    for (const body of bodies) at = putSized(out, at, body)
  }

  /** Completes the publish, and frees its bytes and its fiber: a server may reply late, or never. */
  settle(failure: ClientError | undefined): void {
    const { complete } = this
    this.drop()
    complete(failure)
  }

  /** Frees the bytes and the fiber of a publish whose result is not wanted any more. */
  drop(): void {
    this.settled = true
    this.head = noBytes
    this.body = undefined
    this.complete = ignore
  }
}
