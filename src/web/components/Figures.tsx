import type { ReactNode } from "react"
import type { Figure } from "../core/nodeFigures.ts"

/** Part of a limit in use above which a bar has the color of a warning. */
const high = 0.9

const Bar = ({ share }: { readonly share: number }) => (
  <span className={share >= high ? "share high" : "share"} aria-hidden="true">
    <i style={{ width: `${share * 100}%` }} />
  </span>
)

/** Figures with their names and what they mean; a bar shows the used part of a limit. */
export const Figures = ({ figures, label }: {
  readonly label: string
  readonly figures: ReadonlyArray<Figure>
}) => (
  <dl className="totals processes" aria-label={label}>
    {figures.map(({ more, name, share, value }) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
        {share !== undefined && (
          <dd className="bar">
            <Bar share={share} />
          </dd>
        )}
        <dd className="more">{more}</dd>
      </div>
    ))}
  </dl>
)

/** Names with their values, as a list of two columns; those without a value are left out. */
export const Properties = ({ caption, of }: {
  readonly caption: string
  readonly of: ReadonlyArray<readonly [name: string, value: ReactNode]>
}) => (
  <section className="panel">
    <div className="bar">
      <h2>{caption}</h2>
    </div>
    <dl className="properties">
      {of.filter(([, value]) => value !== undefined && value !== "" && value !== null).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  </section>
)
