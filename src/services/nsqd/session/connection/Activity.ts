/**
 * The activity of a connection, for its heartbeat, its turns and the channel's timeouts: when the client was last
 * heard, whether it is being read from, and the work since the last check of its turn. `ClientLoop` reports all of
 * it.
 */

/**
 * Work between two checks of the turn, in commands: up to 0.3 ms. A check costs 0.2 us and possibly a round of the
 * event loop, too much for every small packet.
 */
const commandsPerLook = 1024
/** The work of a command that is an Effect. */
const effectCommands = 16
/** 64 received bytes count as one command. */
const bytesPerCommandShift = 6

export class Activity {
  private heardAt: number
  private steps = 0
  private work = 0
  private waiting = false
  private turnAwaited = false

  /** `now` in monotonic ms. */
  constructor(now: number) {
    this.heardAt = now
  }

  /** Time of the last complete command, in monotonic ms. */
  get lastHeard(): number {
    return this.heardAt
  }
  /** A command is being executed and the client is not read from, so its silence does not count. */
  get isWaiting(): boolean {
    return this.waiting
  }
  /** Received commands wait for the connection's next turn. */
  get awaitsTurn(): boolean {
    return this.turnAwaited
  }
  /** Changes whenever something is read or executed. */
  get inputSteps(): number {
    return this.steps
  }
  /** Whether the turn should be checked. */
  get isLookDue(): boolean {
    return this.work >= commandsPerLook
  }

  /** Something was read or executed. */
  stepped(): void {
    this.steps++
  }
  /** A command was complete. */
  heard(now: number): void {
    this.heardAt = now
  }
  arrived(bytes: number): void {
    this.work += bytes >>> bytesPerCommandShift
  }
  /** A command was executed synchronously. */
  executed(): void {
    this.work++
  }
  /** A command has to wait. */
  deferred(): void {
    this.work += effectCommands
  }
  /** The turn was checked. */
  looked(): void {
    this.work = 0
  }
  beginWait(): void {
    this.waiting = true
  }
  /** The wait for a command is over; counts as having heard the client. */
  endWait(now: number): void {
    this.waiting = false
    this.heardAt = now
  }
  /** A wait that the client did not cause is over; it does not count as the client's silence. */
  resumeAfter(millis: number): void {
    this.waiting = false
    this.heardAt += millis
  }
  awaitTurn(): void {
    this.turnAwaited = true
  }
  takeTurn(): void {
    this.turnAwaited = false
  }
}
