/** A publish on its way: its command, and its places in the lists of `Outgoing`. */
import type { Exit } from "effect"
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
  /** The same message with headers, for servers that have them. */
  readonly withHeaders?: Encodable
}

/** Writes a body after its size; returns the end. */
export const putSized = (out: Buffer, at: number, body: Uint8Array): number => {
  out.writeInt32BE(body.length, at)
  out.set(body, at + 4)
  return at + 4 + body.length
}

const nothing: PublishCommand = {
  topic: "",
  head: Buffer.alloc(0),
  body: [],
  size: 0,
  messages: 0,
  key: undefined
}

/** Completes a publish; an Exit is an Effect, so the fiber that waits continues with it. */
export type Complete = (result: Exit.Exit<void, ClientError>) => void

const ignore: Complete = () => {}

/** A publish whose result is not known; a member of the list of all publishes in the order of their age. */
export class Publishing extends ChainLink<Publishing> implements Encodable {
  /** What is published; nothing when the publish has ended, because a server may reply late, or never. */
  command: PublishCommand
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
  private complete: Complete

  constructor(command: PublishCommand, deadline: number, complete: Complete) {
    super()
    this.command = command
    this.deadline = deadline
    this.complete = complete
  }

  get size(): number {
    return this.command.size
  }

  encodeTo(out: Buffer, at: number): void {
    const { body, head } = this.command
    out.set(head, at)
    const bodyAt = at + head.length
    if (body instanceof Uint8Array) putSized(out, bodyAt, body)
    else this.encodeBatch(out, bodyAt, body)
  }

  /** Writes the size of the batch, the number of messages and each message with its size. */
  private encodeBatch(out: Buffer, start: number, bodies: ReadonlyArray<Uint8Array>): void {
    const { head, size } = this.command
    out.writeInt32BE(size - head.length - 4, start)
    out.writeInt32BE(bodies.length, start + 4)
    let at = start + 8
    for (const body of bodies) at = putSized(out, at, body)
  }

  /** Completes the publish, and frees its bytes and its fiber. */
  settle(result: Exit.Exit<void, ClientError>): void {
    const { complete } = this
    this.drop()
    complete(result)
  }

  /** Frees the bytes and the fiber of a publish whose result is not wanted any more. */
  drop(): void {
    this.settled = true
    this.command = nothing
    this.complete = ignore
  }
}
