import { kind, variant, type Department } from "../product.ts";

export const garden: Department = {
  id: "garden",
  name: { en: "Garden", zh: "园艺" },
  kinds: [
    kind("seeds", "Seeds", "种子", 4,
      variant("meadow seeds", "野花种子", "Thirty kinds of flower and the bees that know them.", "三十种野花，蜜蜂都认得。"),
      variant("herb seeds", "香草种子", "Basil, dill and thyme for one sunny sill.", "罗勒、莳萝、百里香，种满一个向阳窗台。"),
      variant("vegetable seeds", "蔬菜种子", "Old varieties that taste of August.", "老品种，八月的味道。")),
    kind("pot", "Plant pots", "花盆", 16,
      variant("clay pot", "陶土花盆", "Breathes through its walls, as roots do.", "盆壁透气，根也舒服。"),
      variant("hanging pot", "吊盆", "For plants that would rather fall than climb.", "适合喜欢垂下来的植物。"),
      variant("footed pot", "高脚花盆", "Three feet above the puddle.", "三只脚，不怕积水。")),
    kind("trowel", "Trowels", "园艺铲", 14,
      variant("planting trowel", "移栽铲", "A blade with a scale, so that deep means deep.", "铲面带刻度，深浅心里有数。"),
      variant("transplanting trowel", "窄口移苗铲", "Narrow, to lift a seedling with its soil.", "窄窄一铲，带土起苗。"),
      variant("weeding trowel", "除草铲", "A forked tip that dandelions dislike.", "叉形尖头，蒲公英最怕它。")),
    kind("watering-can", "Watering cans", "洒水壶", 27,
      variant("long-spout watering can", "长嘴洒水壶", "Reaches the last row without wet shoes.", "最后一排也浇得到，鞋还是干的。"),
      variant("indoor watering can", "室内洒水壶", "A thin stream for a small fern.", "细细的水流，照顾小蕨类。"),
      variant("garden watering can", "花园洒水壶", "Nine litres, balanced full and empty.", "九升容量，满的空的都稳当。")),
  ],
};
