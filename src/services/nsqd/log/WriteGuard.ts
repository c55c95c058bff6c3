/**
 * Guards the commits of a log. Before a commit, it checks that the files are still there and records changes that must not be
 * lost; after a failed one, it tries until the log can be written again.
 */
import { Effect, Exit } from "effect"
import type { DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { LogCommits } from "./LogCommits.ts"
import type { LogHealth } from "./LogHealth.ts"
import type { SegmentWriter } from "./SegmentWriter.ts"
import type { StateRecorder } from "./StateRecorder.ts"

/** Time between attempts to write while the disk fails, in ms. */
const retryMillis = 500
/** Time between checks that the files were not removed, in ms. */
const verifyMillis = 1000

/** What the guard needs from its log. */
export interface GuardHost {
  /** The log's name in log lines. */
  readonly label: string
  readonly directory: string
  readonly commits: LogCommits
  readonly writer: SegmentWriter
  readonly recorder: StateRecorder
  readonly health: LogHealth
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
  /** Returns why messages of this size, in bytes, are refused before they are written; `undefined` if there is space. */
  readonly refusal: (bytes: number) => StorageError | undefined
  readonly isClosed: () => boolean
}

export class WriteGuard {
  private readonly host: GuardHost
  private verifiedAt = 0

  constructor(host: GuardHost) {
    this.host = host
  }

  /** Nothing, most of the time: the check costs a little, and changes that must be recorded first are rare. */
  beforeCommit(): Effect.Effect<void, DiskError> | undefined {
    const { recorder } = this.host
    const isVerified = Math.abs(this.host.wallMillis() - this.verifiedAt) < verifyMillis
    if (isVerified && !recorder.isVital) return undefined
    const verified = isVerified ? Effect.void : this.verify
    return Effect.andThen(verified, Effect.suspend(() => recorder.isVital ? recorder.recordOnly : Effect.void))
  }

  /**
   * Checks before a commit that no other program has removed the files: the open ones could still be written, and everything in
   * them would be lost.
   */
  private get verify(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { directory, label, recorder, wallMillis, writer } = this.host
      this.verifiedAt = wallMillis()
      // The commit finds out whatever else is wrong.
      return Effect.flatMap(
        Effect.orElseSucceed(writer.verify, () => true),
        (isThere) =>
          isThere ? Effect.void : Effect.andThen(
            Effect.logError(`${label}: the files in ${directory} were removed, starting new ones`),
            recorder.startAnew
          )
      )
    })
  }

  /** A commit is stored. */
  works(): Effect.Effect<void> {
    const { health } = this.host
    return health.isFailing("write") ? health.works("write") : Effect.void
  }

  /** Writing has failed: publishes try it again, and so does the guard, because a load balancer may send none. */
  failed(error: DiskError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { fork, health } = this.host
      if (!health.isFailing("write")) fork(this.repair)
      return health.fails("write", StorageError.fromDisk(error))
    })
  }

  /** Tries to start a segment until that or a publish succeeds. */
  private get repair(): Effect.Effect<void> {
    const { commits, health, isClosed, refusal, writer } = this.host
    return Effect.gen(function*() {
      do {
        yield* Effect.sleep(retryMillis)
        if (isClosed() || !health.isFailing("write")) return
        if (!commits.isIdle || refusal(0) !== undefined) continue
        const prepared = yield* Effect.exit(writer.prepare(commits.end))
        if (Exit.isSuccess(prepared)) yield* health.works("write")
      } while (health.isFailing("write"))
    })
  }
}
