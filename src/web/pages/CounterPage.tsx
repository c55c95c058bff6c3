import { useAtomValue } from "@effect/atom-react"
import { useEffect, useRef, useState } from "react"
import { Away } from "../components/Badge.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import { LargePicture } from "../graphite/Picture.tsx"
import { liveAtom } from "../live/live.ts"

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

/** Milliseconds for the first animation, before the interval of the samples is known; and for the longest. */
const firstMillis = 1000
const longestMillis = 10_000

/** Returns the time between the last two samples. */
const useInterval = (at: number): number => {
  const last = useRef(at)
  const interval = useRef(firstMillis)
  if (last.current !== at) {
    interval.current = last.current === 0 ? firstMillis : Math.min(longestMillis, at - last.current)
    last.current = at
  }
  return interval.current
}

/** The page of the counter: the number of messages that all channels have received, which is in each sample. */
export const CounterPage = () => {
  const { at, nodes } = useAtomValue(liveAtom)
  const total = nodes.reduce((sum, node) => sum + node.channel_message_count, 0)
  const away = nodes.flatMap((node) => node.away === null ? [] : [node.away])
  const shown = useAnimated(total, useInterval(at))
  return (
    <>
      <h1>Counter</h1>
      {at === 0 ? <Waiting /> : (
        <p className="counter">
          <span aria-hidden="true">
            {[...Format.count(shown)].map((digit, i, all) => (
              <span key={all.length - i} className={digit === "," ? "comma" : "digit"}>{digit}</span>
            ))}
          </span>
          <span className="hidden">{Format.count(total)}</span>
          <small>
            messages received by all channels{" "}
            <Away since={away.length === 0 ? null : Math.min(...away)} now={at} isSum />
          </small>
        </p>
      )}
      <div className="graphite">
        <LargePicture title="Messages per second" metric="message_count" of={{ _tag: "Everything" }} />
      </div>
    </>
  )
}
