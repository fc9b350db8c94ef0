// What `has` and `limit` read: plain maps, rebuilt when the view changes. Remembers which features were used.
import type { LicenseView } from '../public/license.ts'

interface Mark {
  used: boolean
}

export interface Gates {
  view: LicenseView
  has(feature: string): boolean
  /** The limit by name; undefined where neither license nor community tier knows it. */
  limit(name: string): number | undefined
  /** `unnamed`: what a limit is that the license does not name; undefined where that is the product's mistake. */
  show(view: LicenseView, unnamed: number | undefined): void
  usedFeatures(): string[]
  /** They were reported. */
  forget(features: readonly string[]): void
}

export function openGates(first: LicenseView): Gates {
  const marks = new Map<string, Mark>()
  let granted = new Map<string, Mark>()
  let limits = new Map<string, number>()
  let otherwise: number | undefined

  const gates: Gates = {
    view: first,
    has(feature) {
      const mark = granted.get(feature)
      if (mark === undefined) return false
      mark.used = true
      return true
    },
    limit(name) {
      return limits.get(name) ?? otherwise
    },
    show(view, unnamed) {
      gates.view = view
      otherwise = unnamed
      limits = new Map(Object.entries(view.limits))
      granted = new Map(
        view.features.map((feature) => {
          const mark = marks.get(feature) ?? { used: false }
          marks.set(feature, mark)
          return [feature, mark]
        }),
      )
    },
    usedFeatures() {
      return [...marks].filter(([, mark]) => mark.used).map(([feature]) => feature)
    },
    forget(features) {
      for (const feature of features) {
        const mark = marks.get(feature)
        if (mark) mark.used = false
      }
    },
  }
  gates.show(first, undefined)
  return gates
}
