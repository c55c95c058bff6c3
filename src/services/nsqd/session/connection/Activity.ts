/**
 * What a connection is doing, for its heartbeat, its turns and the channel's timeouts: when the client was last heard, whether
 * it is read from, and how much it has done since it last looked whether its turn is over. `ClientLoop` reports everything.
 */

/**
 * The work after which a connection looks whether its turn is over, in commands: up to 0.3 ms. A look costs 0.2 us and a round of
 * the event loop, too much for each small packet.
 */
const commandsPerLook = 1024
/** A command that is an Effect counts as this many. */
const effectCommands = 16
/** 64 bytes that arrive count as a command. */
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

  /** When the last command was complete, in monotonic ms. */
  get lastHeard(): number {
    return this.heardAt
  }
  /** A command is being executed and the client is not read from: its silence means nothing. */
  get isWaiting(): boolean {
    return this.waiting
  }
  /** Commands that have arrived wait for the connection's next turn. */
  get awaitsTurn(): boolean {
    return this.turnAwaited
  }
  /** Changes with everything that is read or executed. */
  get inputSteps(): number {
    return this.steps
  }
  /** Whether it is time to look whether the turn is over. */
  get isLookDue(): boolean {
    return this.work >= commandsPerLook
  }

  /** Something has been read or executed. */
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
  /** A command was executed at once. */
  executed(): void {
    this.work++
  }
  /** A command has to wait. */
  deferred(): void {
    this.work += effectCommands
  }
  /** The connection has looked whether its turn is over. */
  looked(): void {
    this.work = 0
  }
  beginWait(): void {
    this.waiting = true
  }
  /** Waiting for a command is over; that counts as having heard the client. */
  endWait(now: number): void {
    this.waiting = false
    this.heardAt = now
  }
  /** Waiting for something that is not the client's is over: the time of waiting is not its silence. */
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
