/**
 * The open channels of a topic, each in a Scope of its own: closing it stops the channel and writes its messages to disk.
 */
import { Effect, Exit, Scope } from "effect"
import type { ChannelName } from "../../../protocol/client/Names.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Channel } from "./Channel.ts"

/** Topics, and channels per topic, that are restored or closed concurrently: enough to keep a disk busy. */
export const queuesAtOnce = 8

interface OpenChannel {
  readonly channel: Channel
  readonly scope: Scope.Closeable
}

export class OpenChannels {
  private readonly open = new Map<string, OpenChannel>()

  get all(): ReadonlyArray<Channel> {
    return Array.from(this.open.values(), ({ channel }) => channel)
  }

  get size(): number {
    return this.open.size
  }

  get(name: string): Channel | undefined {
    return this.open.get(name)?.channel
  }

  /** Opens a channel that is not open. The broker serializes the calls. */
  add<E, R>(
    name: ChannelName,
    make: Effect.Effect<Channel, E, R>
  ): Effect.Effect<Channel, E, Exclude<R, Scope.Scope>> {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.make()
      const channel = yield* make.pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      this.open.set(name, { channel, scope })
      return channel
    })
  }

  /** Forgets a channel, and returns what deletes it with its messages; `undefined` if it is not open. */
  take(name: string): Effect.Effect<void, StorageError> | undefined {
    const opened = this.open.get(name)
    if (opened === undefined) return undefined
    this.open.delete(name)
    return Effect.ensuring(opened.channel.delete, Scope.close(opened.scope, Exit.void))
  }

  closeConsumers(): void {
    for (const { channel } of this.open.values()) channel.closeConsumers()
  }

  /** Closes all channels. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(Array.from(this.open.values()), ({ scope }) => Scope.close(scope, Exit.void), {
        concurrency: queuesAtOnce,
        discard: true
      })
    )
  }
}
