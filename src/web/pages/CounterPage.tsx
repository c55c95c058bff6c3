import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { useEffect, useRef, useState } from "react"
import { ResponseWarning } from "../components/Notice.tsx"
import { QueryError } from "../components/QueryResponse.tsx"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import { LargePicture } from "../graphite/Picture.tsx"

/** NSQ's polling intervals in milliseconds: they grow from the first to the longest. */
const firstDelay = 1100
const longestDelay = 10_100
const moreEachTime = 1000

const counter = AdminClient.query("counters", "counter", {})

/** Animates a number towards `target`, unless the user prefers reduced motion. */
const useAnimated = (target: number, millis: number): number => {
  const [shown, setShown] = useState(target)
  const from = useRef(target)
  useEffect(() => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || from.current === 0) {
      from.current = target
      setShown(target)
      return
    }
    const [start, began] = [from.current, performance.now()]
    let frame = 0
    const step = (now: number) => {
      const part = Math.min(1, (now - began) / millis)
      from.current = Math.round(start + (target - start) * part)
      setShown(from.current)
      if (part < 1) frame = requestAnimationFrame(step)
    }
    frame = requestAnimationFrame(step)
    return () => cancelAnimationFrame(frame)
  }, [target, millis])
  return shown
}

/** The page of the counter: the number of messages that all channels have received. */
export const CounterPage = () => {
  const result = useAtomValue(counter)
  const refresh = useAtomRefresh(counter)
  const [delay, setDelay] = useState(firstDelay)
  useEffect(() => {
    if (result.waiting) return
    const timer = setTimeout(() => {
      setDelay((delay) => Math.min(longestDelay, delay + moreEachTime))
      refresh()
    }, result._tag === "Failure" ? longestDelay : delay)
    return () => clearTimeout(timer)
  }, [result, delay, refresh])
  const response = AsyncResult.getOrElse(result, () => ({ stats: {}, message: "" }))
  const total = Object.values(response.stats).reduce((sum, { message_count }) => sum + message_count, 0)
  const shown = useAnimated(total, delay)
  return (
    <>
      <h1>Counter</h1>
      {result._tag === "Failure" && <QueryError cause={result.cause} onRetry={refresh} />}
      <ResponseWarning message={response.message} />
      <p className="counter">
        <span aria-hidden="true">
          {[...Format.count(shown)].map((digit, i, all) => (
            <span key={all.length - i} className={digit === "," ? "comma" : "digit"}>{digit}</span>
          ))}
        </span>
        <span className="hidden">{Format.count(total)}</span>
        <small>messages received by all channels</small>
      </p>
      <div className="graphite">
        <LargePicture title="Messages per second" metric="message_count" of={{ _tag: "Everything" }} />
      </div>
    </>
  )
}
