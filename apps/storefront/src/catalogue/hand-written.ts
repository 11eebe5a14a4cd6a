import type { Colour, Level, Pattern, Product } from "./product.ts";

type Words = readonly [en: string, zh: string];
type Looks = readonly [variant: 0 | 1 | 2, colour: Colour, pattern: Pattern, level: Level];

function own(id: string, kind: string, [variant, colour, pattern, level]: Looks, price: number, name: Words, description: Words): Product {
  return { id, kind, variant, colour, pattern, level, price, name: { en: name[0], zh: name[1] }, description: { en: description[0], zh: description[1] } };
}

/** Products that somebody thought about one by one. */
export const HAND_WRITTEN: readonly Product[] = [
  own("two-moons-tent", "tent", [0, "ink", "dots", 3], 349.9, ["Two Moons tent", "双月帐篷"], ["A skylight over each pillow. On clear nights nobody sleeps much.", "每个枕头上方一扇天窗。晴夜里谁都舍不得睡。"]),
  own("first-night-tent", "tent", [0, "coral", "plain", 1], 89.9, ["First Night tent", "第一夜帐篷"], ["Pitched in four minutes by an eight-year-old who had not read the manual.", "八岁孩子不看说明书，四分钟搭好。"]),
  own("harbour-bell-tent", "tent", [2, "sky", "stripes", 2], 279.9, ["Harbour bell tent", "海港钟形帐篷"], ["Sailcloth that has heard worse storms than yours.", "帆布做的，见过更大的风浪。"]),
  own("hibernator", "sleeping-bag", [0, "plum", "plain", 3], 289.9, ["Hibernator sleeping bag", "冬眠者睡袋"], ["Good to minus twenty. Set two alarms.", "零下二十度也够暖。记得定两个闹钟。"]),
  own("pea-pod", "sleeping-bag", [2, "moss", "dots", 2], 149.9, ["Pea Pod for two", "豌豆荚双人睡袋"], ["For people who fall asleep in the middle of a conversation.", "适合聊着聊着就睡着的两个人。"]),
  own("cloud-nine-mat", "mat", [1, "sky", "dots", 2], 84.9, ["Cloud Nine mat", "九霄睡垫"], ["Nine centimetres of air and no squeak when you turn.", "九厘米厚的空气，翻身没有声音。"]),
  own("stone-skipper-mat", "mat", [0, "slate", "checks", 1], 34.9, ["Stone Skipper mat", "打水漂防潮垫"], ["Also a seat, a splint, a windbreak and a table.", "也是坐垫、夹板、挡风板和桌子。"]),
  own("little-dragon", "stove", [0, "rust", "plain", 2], 69.9, ["Little Dragon stove", "小龙炉"], ["Ninety grams, and a roar that frightens marmots.", "只有九十克，吼声能吓跑旱獭。"]),
  own("pine-cone-stove", "stove", [1, "moss", "checks", 3], 129.9, ["Pine Cone stove", "松果炉"], ["Five cones for one coffee, ten for soup.", "五颗松果一杯咖啡，十颗一锅汤。"]),
  own("firefly-lantern", "lantern", [0, "ochre", "dots", 1], 24.9, ["Firefly lantern", "萤火虫提灯"], ["Dims so low that the moths stay home.", "能调到很暗，飞蛾都不来。"]),
  own("lighthouse-lantern", "lantern", [1, "coral", "checks", 3], 89.9, ["Lighthouse lantern", "灯塔提灯"], ["Hang it outside and everyone finds the way back from the lake.", "挂在外面，从湖边回来的人都找得到路。"]),

  own("goat-path-boots", "boots", [1, "rust", "plain", 3], 269.9, ["Goat Path boots", "羊径靴"], ["Resoled four times by the man who made the first pair.", "做第一双的师傅，已经给它换过四次底。"]),
  own("puddle-boots", "boots", [2, "teal", "dots", 1], 74.9, ["Puddle boots", "水坑靴"], ["Canvas with a rubber rim, for those who walk straight through.", "帆布加橡胶边，专给直接踩过去的人。"]),
  own("squirrel-pack", "backpack", [0, "ochre", "checks", 1], 59.9, ["Squirrel day pack", "松鼠日用背包"], ["Eleven pockets. You will find the snack in the last one.", "十一个口袋，零食总在最后一个。"]),
  own("long-way-round", "backpack", [1, "teal", "plain", 3], 259.9, ["Long Way Round pack", "远路背包"], ["Sixty litres for people who miss the last bus on purpose.", "六十升，给故意错过末班车的人。"]),
  own("long-legs", "poles", [1, "slate", "stripes", 2], 64.9, ["Long Legs poles", "长腿登山杖"], ["Cross a stream like a wading bird, only less elegant.", "过溪像涉禽，只是没那么优雅。"]),
  own("spring-water", "bottle", [2, "sky", "plain", 2], 44.9, ["Spring Water bottle", "山泉水壶"], ["Squeeze, drink, and thank the glacier.", "一捏，一喝，谢谢冰川。"]),

  own("cloud-cap", "helmet", [0, "rose", "plain", 2], 99.9, ["Cloud Cap helmet", "云朵头盔"], ["So light that people ride to the office door and then to the desk.", "轻到有人戴着走到工位才想起来。"]),
  own("woodpecker", "helmet", [2, "rust", "stripes", 3], 179.9, ["Woodpecker helmet", "啄木鸟头盔"], ["Designed after the only animal that knows.", "向唯一懂行的动物学来的设计。"]),
  own("cats-eye", "bike-light", [1, "coral", "plain", 1], 19.9, ["Cat’s Eye rear light", "猫眼尾灯"], ["Blinks once when you brake, as cats do when they agree.", "刹车时眨一下，像猫表示同意。"]),
  own("north-star-light", "bike-light", [0, "ink", "plain", 3], 84.9, ["North Star front light", "北极星前灯"], ["Sixty lux on the road and none in the trees.", "六十勒克斯都照在路上，一点不照树。"]),
  own("old-faithful-lock", "lock", [0, "slate", "plain", 3], 119.9, ["Old Faithful lock", "老忠实车锁"], ["Heavier than the bicycle it came with.", "比原来那辆车还重。"]),
  own("bakery-pannier", "pannier", [0, "ochre", "checks", 2], 109.9, ["Bakery pannier", "面包房驮包"], ["Exactly one baguette deep.", "深度正好一根法棍。"]),

  own("morning-bell", "grinder", [1, "rust", "plain", 3], 149.9, ["Morning Bell grinder", "晨钟磨豆机"], ["Walnut and steel, and a drawer that smells of every Sunday.", "胡桃木和钢，抽屉里是每个周日的味道。"]),
  own("pocket-mill", "grinder", [2, "teal", "dots", 1], 39.9, ["Pocket Mill grinder", "口袋磨豆机"], ["For offices whose machine has been out of order since spring.", "适合咖啡机从春天坏到现在的办公室。"]),
  own("slow-rain", "dripper", [0, "sky", "stripes", 2], 38.9, ["Slow Rain dripper", "慢雨滤杯"], ["Three minutes, no less. Look out of the window meanwhile.", "三分钟，一秒不少。正好看看窗外。"]),
  own("crane-kettle", "kettle", [0, "slate", "plain", 3], 159.9, ["Crane kettle", "仙鹤壶"], ["A spout that can write your name.", "壶嘴的水线能写你的名字。"]),
  own("station-kettle", "kettle", [2, "coral", "dots", 1], 42.9, ["Station kettle", "车站搪瓷壶"], ["Red enamel from a waiting room that is now a library.", "候车室的红搪瓷壶，那里如今是图书馆。"]),
  own("two-hands-mug", "mug", [0, "ochre", "stripes", 2], 22.9, ["Two Hands mug", "双手杯"], ["Thrown for winter: there is no handle, hold it.", "为冬天拉的坯：握着喝就好。"]),
  own("deadline-mug", "mug", [2, "ink", "checks", 1], 13.9, ["Deadline mug", "截稿杯"], ["Half a litre. The draft is due on Friday.", "半升装。稿子周五要交。"]),

  own("snowdrift-bowl", "bowl", [0, "sky", "plain", 2], 44.9, ["Snowdrift bowl", "雪堆碗"], ["White inside, so that you see when the egg whites are done.", "内壁雪白，蛋白打没打好一看便知。"]),
  own("sunday-dough", "bowl", [2, "ochre", "stripes", 3], 74.9, ["Sunday Dough bowl", "周日面团碗"], ["Stoneware that keeps yeast warm through one long walk.", "粗陶保温，散一次长步，面正好发起来。"]),
  own("thunder-whisk", "whisk", [0, "plum", "plain", 2], 19.9, ["Thunderhead whisk", "积雨云打蛋器"], ["Twelve wires, and the cream rises like weather.", "十二根钢丝，奶油像云一样涨起来。"]),
  own("hundred-wrappers", "rolling-pin", [2, "rust", "plain", 1], 15.9, ["Hundred Wrappers pin", "百张皮擀面杖"], ["Grandfather rolled, everyone else folded.", "爷爷擀皮，大家来包。"]),
  own("flour-storm-apron", "apron", [0, "slate", "stripes", 2], 49.9, ["Flour Storm apron", "面粉风暴围裙"], ["Linen that looks better after the accident.", "亚麻的，弄脏了反而更好看。"]),

  own("lazy-meadow", "seeds", [0, "rose", "dots", 1], 5.9, ["Lazy Meadow seeds", "懒人草甸种子"], ["Throw, water once, wait. The bees do the rest.", "撒下去，浇一次，等着。剩下的交给蜜蜂。"]),
  own("dumpling-garden", "seeds", [2, "moss", "plain", 2], 8.9, ["Dumpling Garden seeds", "饺子馅菜园种子"], ["Chives, cabbage and coriander in one packet.", "韭菜、白菜、香菜，一包全有。"]),
  own("monsoon-pot", "pot", [2, "teal", "checks", 2], 34.9, ["Monsoon pot", "雨季花盆"], ["Drains faster than it rains in June.", "排水比六月的雨还快。"]),
  own("mole-trowel", "trowel", [0, "plum", "plain", 2], 26.9, ["Mole trowel", "鼹鼠铲"], ["Ash handle, steel blade, and opinions about clay.", "白蜡木柄，钢铲面，专治黏土。"]),
  own("small-cloud-can", "watering-can", [1, "sky", "plain", 1], 24.9, ["Small Cloud watering can", "小云朵洒水壶"], ["One litre of drizzle for the window sill.", "一升毛毛雨，专浇窗台。"]),
  own("orchard-can", "watering-can", [2, "moss", "plain", 3], 89.9, ["Orchard watering can", "果园洒水壶"], ["Zinc and brass; it will water trees that are not planted yet.", "锌和黄铜，能浇还没种下的树。"]),

  own("first-heddle", "loom", [1, "ochre", "plain", 2], 189.9, ["First Heddle loom", "初综织机"], ["Warped and ready in the box, so that you begin by weaving.", "出厂已经穿好经线，打开就能织。"]),
  own("mountain-wool", "yarn", [0, "slate", "plain", 3], 24.9, ["Mountain wool", "高山羊毛线"], ["Undyed, from eighty sheep on one slope.", "不染色，来自同一面山坡的八十只羊。"]),
  own("beach-cotton", "yarn", [1, "coral", "stripes", 1], 8.9, ["Beach cotton yarn", "海滩棉线"], ["Changes colour every two metres, as the sea does.", "每两米换一种颜色，像海一样。"]),
  own("night-train-needles", "needles", [1, "ink", "plain", 2], 24.9, ["Night Train needles", "夜车环形针"], ["Quiet bamboo tips for the upper berth.", "竹针头，安静，上铺也能织。"]),
  own("picnic-basket", "basket", [1, "rust", "checks", 3], 119.9, ["Picnic basket for six", "六人野餐篮"], ["Plates, a board, and a lid that is also a table.", "有盘子、有砧板，盖子就是桌子。"]),

  own("tall-reader-lamp", "lamp", [0, "teal", "plain", 2], 109.9, ["Night Reader lamp", "夜读台灯"], ["Lights one book and lets the other bed sleep.", "只照一本书，旁边的床照样睡。"]),
  own("full-moon-lamp", "lamp", [1, "ochre", "plain", 3], 169.9, ["Full Moon lamp", "满月台灯"], ["Mouth-blown glass that dims in twenty-nine steps.", "人工吹制的玻璃，二十九档亮度。"]),
  own("rain-diary", "notebook", [0, "sky", "dots", 2], 19.9, ["Rain Diary notebook", "雨天日记本"], ["Stone paper: write in the bath, or under the plane trees.", "石头纸：浴缸里、梧桐树下都能写。"]),
  own("letter-pen", "pen", [0, "plum", "plain", 3], 79.9, ["Long Letter pen", "长信钢笔"], ["A full tank is eleven pages to somebody far away.", "吸满一次，够给远方的人写十一页。"]),
  own("rooster-clock", "clock", [1, "coral", "plain", 1], 29.9, ["Rooster alarm clock", "公鸡闹钟"], ["Crows once. It has never had to crow twice.", "只叫一声，从来用不着第二声。"]),
  own("siesta-clock", "clock", [0, "ochre", "stripes", 2], 57.9, ["Siesta clock", "午睡座钟"], ["Skips the hour from two to three.", "跳过下午两点到三点。"]),
];
