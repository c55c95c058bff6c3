/**
 * Fills a log with the messages of another queue, which keep their ids, timestamps, attempts and headers. A log that is new is marked as
 * incomplete until all of them are stored (`Filling`).
 */
import { Effect } from "effect"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Disk } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import * as Filling from "./Filling.ts"
import type { LogChannels } from "./LogChannels.ts"
import type { LogCommits } from "./LogCommits.ts"
import type { SegmentWriter } from "./SegmentWriter.ts"
import type { StateRecorder } from "./StateRecorder.ts"

/** What filling needs from the log. */
export interface FillingHost {
  readonly disk: Disk["Service"]
  readonly directory: string
  readonly channels: LogChannels
  readonly commits: LogCommits
  readonly recorder: StateRecorder
  readonly writer: SegmentWriter
  /** Why so many bytes cannot be stored; `undefined` if they can. */
  readonly refusal: (bytes: number) => StorageError | undefined
}

export class LogFilling {
  private readonly host: FillingHost

  constructor(host: FillingHost) {
    this.host = host
  }

  /** Whether the log has never had a message or a channel. */
  get isNew(): boolean {
    return this.host.commits.end === 1 && this.host.channels.isEmpty
  }

  /** The log is incomplete until `end`: if the process ends before, it is empty at the next opening. */
  get begin(): Effect.Effect<void, StorageError> {
    return Effect.mapError(Filling.begin(this.host.disk, this.host.directory), StorageError.fromDisk)
  }

  /** Stores messages; returns the sequence of the first one when they are stored. `nanos` and `due` are as in `TopicLog.append`. */
  append(batch: MessageBatch, nanos: bigint, due: number): Effect.Effect<number, StorageError> {
    return Effect.suspend((): Effect.Effect<number, StorageError> => {
      const refusal = this.host.refusal(batch.framesBytes)
      return refusal === undefined ? this.host.commits.appendBatch(batch, nanos, due) : Effect.fail(refusal)
    })
  }

  /** Gives the messages from `from` up to, but not including, `to` to one channel: the others have finished them. */
  giveTo(owner: ChannelLog, from: number, to: number): void {
    for (const channel of this.host.channels.all) if (channel !== owner) channel.skip(from, to)
  }

  /** Completes when everything, the state of the channels included, is durable, and the log is complete. */
  get end(): Effect.Effect<void, StorageError> {
    const { directory, disk, recorder, writer } = this.host
    return recorder.record.pipe(
      Effect.andThen(writer.sync),
      Effect.andThen(recorder.sync),
      Effect.andThen(Filling.end(disk, directory)),
      Effect.mapError(StorageError.fromDisk)
    )
  }
}
